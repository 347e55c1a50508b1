// The form of a new job stays checked and priced while it is filled in: the server renders it again, and what it says
// is put in without touching the field that is being typed in.
import { away, put as bring } from "./regions.js";

const form = document.getElementById("job-form");
const slide = document.getElementById("slide");
const ipc = document.getElementById("ipc");
const within = document.getElementById("within");
const time = document.getElementById("time");
const times = time.dataset.times.split(" ");
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

const page = async (address, signal) => {
  const response = await fetch(address, { headers: { Accept: "text/html" }, signal });
  if (response.redirected) { // the session is over: its page says so, and leads back here
    location.assign(response.url);
    return new Promise(() => {});
  }
  if (!response.ok) throw new Error(`${response.status}`);
  return new DOMParser().parseFromString(await response.text(), "text/html");
};

const put = (page, id) => {
  const fresh = page.getElementById(id);
  if (fresh) bring(document.getElementById(id), fresh);
};

// What each time buys takes as many forecasts as there are times: the form does not wait for them.
const follow = async (changed) => {
  asking?.abort();
  const mine = (asking = new AbortController());
  try {
    const fresh = changed ? await page(`/new?${query()}`, mine.signal) : document;
    away("");
    const times = fresh.getElementById("all-times")?.href;
    if (changed) {
      take(fresh);
      // not `dataset.address`: a form's field called dataset hides the property
      history.replaceState(null, "", fresh.getElementById("job-form").getAttribute("data-address"));
    }
    if (times) put(await page(times, mine.signal), "buys");
  } catch (error) {
    if (error.name === "AbortError") return;
    away("The service does not answer. What you filled in is kept, the forecast is of before; it is asked again.");
    timer = setTimeout(follow, 5000, true);
  }
};

const take = (page) => {
  for (const id of ["forecast", "size", "worth", "measured", "commands-panel"]) put(page, id);
  // those that are there stay until those in their place come
  if (!page.getElementById("all-times") || !document.querySelector("#buys table")) put(page, "buys");
  document.dispatchEvent(new CustomEvent("refreshed")); // what came anew is as the frame has it
  const old = document.getElementById("recipe");
  const fresh = page.getElementById("recipe");
  if (old.dataset.basis !== fresh.dataset.basis || !old.querySelector("details")) {
    for (const open of old.querySelectorAll("details[open]")) {
      const twin = fresh.querySelector(`#${CSS.escape(open.id)}`);
      if (twin) twin.open = true;
    }
    old.replaceWith(document.importNode(fresh, true));
    document.getElementById("others").replaceWith(document.importNode(page.getElementById("others"), true));
    document.getElementById("basis").value = fresh.dataset.basis;
  }
  for (const fault of form.querySelectorAll("[data-fault]")) {
    const said = page.getElementById(fault.id)?.textContent ?? "";
    if (fault.textContent !== said) fault.textContent = said;
    const field = document.getElementById(fault.dataset.fault);
    if (field) said ? field.setAttribute("aria-invalid", "true") : field.removeAttribute("aria-invalid");
    for (let around = said && fault.closest("details"); around; around = around.parentElement.closest("details")) {
      around.open = true;
    }
  }
  for (const field of form.querySelectorAll("[data-own]")) {
    field.closest(".field").classList.toggle("changed", field.value !== field.dataset.own);
  }
  const most = page.getElementById("slide")?.max;
  if (most) slide.max = most;
};

const seconds = (text) => {
  const parts = /^\s*(\d+) ?([smhd])\s*$/i.exec(text);
  return parts ? parts[1] * { s: 1, m: 60, h: 3600, d: 86400 }[parts[2].toLowerCase()] : Infinity;
};

// The slider stands at the last of its times that is not beyond what is written; behind them is any time.
const stand = () => {
  const asked = seconds(within.value);
  time.value = asked === Infinity ? times.length : Math.max(0, times.filter((each) => seconds(each) <= asked).length - 1);
  time.setAttribute("aria-valuetext", within.value || "any time");
};

slide.hidden = false;
slide.addEventListener("input", () => { ipc.value = slide.value; });
ipc.addEventListener("input", () => { slide.value = ipc.value; });
time.hidden = false;
time.addEventListener("input", () => {
  within.value = times[time.value] ?? "";
  time.setAttribute("aria-valuetext", within.value || "any time");
});
within.addEventListener("input", stand);
form.addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-within]");
  if (!chosen || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  within.value = chosen.dataset.within;
  stand();
  within.focus();
  follow(true);
});
stand();
form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(follow, 350, true); });
document.getElementById("check").hidden = true;
follow(false);
