// The form of a new job stays checked and priced while it is filled in: the server renders it again, and what it says
// is put in without touching the field that is being typed in.
const form = document.getElementById("job-form");
const slide = document.getElementById("slide");
const ipc = document.getElementById("ipc");
let timer = 0;
let asking = null;

const query = () => {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    const field = form.elements[name];
    if (field?.dataset?.own !== undefined && field.dataset.own === value) continue;
    fields.set(name, value);
  }
  return fields;
};

const follow = async () => {
  asking?.abort();
  const mine = (asking = new AbortController());
  const fields = query();
  try {
    const response = await fetch(`/new?${fields}`, { headers: { Accept: "text/html" }, signal: mine.signal });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    take(page);
    fields.delete("basis");
    history.replaceState(null, "", `/new?${fields}`);
  } catch (error) {
    if (error.name !== "AbortError") console.info("The service does not answer; the form is kept as it is.");
  }
};

const take = (page) => {
  for (const id of ["forecast", "size", "commands-panel"]) {
    document.getElementById(id).replaceWith(document.importNode(page.getElementById(id), true));
  }
  for (const copy of document.querySelectorAll("button[data-copy]")) copy.hidden = false;
  const old = document.getElementById("recipe");
  const fresh = page.getElementById("recipe");
  if (old.dataset.basis !== fresh.dataset.basis || !old.querySelector("details")) {
    for (const open of old.querySelectorAll("details[open]")) {
      const twin = fresh.querySelector(`#${CSS.escape(open.id)}`);
      if (twin) twin.open = true;
    }
    old.replaceWith(document.importNode(fresh, true));
    document.getElementById("basis").value = fresh.dataset.basis;
  }
  for (const fault of form.querySelectorAll("[data-fault]")) {
    const said = page.getElementById(fault.id)?.textContent ?? "";
    if (fault.textContent !== said) fault.textContent = said;
    const field = document.getElementById(fault.dataset.fault);
    if (field) said ? field.setAttribute("aria-invalid", "true") : field.removeAttribute("aria-invalid");
    if (said) fault.closest("details")?.setAttribute("open", "");
  }
  for (const field of form.querySelectorAll("[data-own]")) {
    field.closest(".field").classList.toggle("changed", field.value !== field.dataset.own);
  }
  const most = page.getElementById("slide")?.max;
  if (most) slide.max = most;
};

slide.hidden = false;
slide.addEventListener("input", () => { ipc.value = slide.value; });
ipc.addEventListener("input", () => { slide.value = ipc.value; });
form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(follow, 350); });
document.getElementById("check").hidden = true;
