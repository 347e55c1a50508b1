// An upload with progress, by dragging or choosing; and the end of an inspection as soon as it is known.
import { away } from "./regions.js";

const form = document.getElementById("upload");
const drop = document.getElementById("drop");
const file = document.getElementById("file");
const name = document.getElementById("name");
const told = document.getElementById("told");
const button = form.querySelector("button");

function tell(kind, title, text) {
  const notice = document.createElement("div");
  const heading = document.createElement("h2");
  const said = document.createElement("p");
  notice.className = `notice ${kind}`;
  heading.textContent = title;
  said.textContent = text;
  notice.append(heading, said);
  told.replaceChildren(notice);
}

const suggest = () => {
  if (file.files.length && !name.value) name.value = file.files[0].name.replace(/\.[^.]*$/, "").slice(0, 100);
};

document.getElementById("drag").hidden = false;
file.addEventListener("change", suggest);
for (const kind of ["dragenter", "dragover"]) {
  drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  if ([...event.dataTransfer.items].some((each) => each.webkitGetAsEntry?.()?.isDirectory)) { // no browser sends one
    const fix = "Pack it as a zip and drag that here, or send it from a terminal: stillhouse upload FOLDER";
    return tell("bad", "A folder cannot be sent from here", fix);
  }
  told.replaceChildren();
  if (event.dataTransfer.files.length) file.files = event.dataTransfer.files;
  suggest();
});

async function settled(path) {
  for (let pause = 200; ; pause = Math.min(pause * 1.5, 3000)) {
    const answer = await fetch(path, { headers: { Accept: "application/json" } }).catch(() => null);
    away(answer ? "" : "The service does not answer. What has arrived is inspected as soon as it is back; it is asked again.");
    if (!answer || answer.status >= 500) {
      await new Promise((go) => setTimeout(go, pause));
      continue;
    }
    if (!answer.ok) return null;
    const found = await answer.json();
    if (found.state !== "inspecting") return found;
    await new Promise((go) => setTimeout(go, pause));
  }
}

// The problem in the words of the form, as the list of uploads has it.
async function worded(found) {
  const page = await fetch("/uploads", { headers: { Accept: "text/html" } }).then((answer) => answer.text()).catch(() => "");
  const card = new DOMParser().parseFromString(page, "text/html").getElementById(found.name);
  return card?.querySelector(".notice p")?.textContent ?? found.problem;
}

async function show(path) {
  const found = await settled(path);
  if (found && found.state === "invalid") return tell("bad", `${found.title} cannot be used`, await worded(found));
  location.assign(`/uploads${found ? `#${found.name}` : ""}`);
  if (location.pathname === "/uploads") location.reload();
}

function refuse(request) {
  let problem = { title: "It was not taken", detail: "The service did not say why; try again." };
  try { problem = JSON.parse(request.responseText); } catch { /* not from the service */ }
  const faults = (problem.errors || []).map((error) => `${error.message} ${error.fix}`);
  tell("bad", problem.title, faults.join(" ") || `${problem.detail} ${problem.hint || ""}`);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const chosen = file.files[0];
  if (chosen.size > Number(form.dataset.most)) {
    return tell("bad", "The file is too large", "Make the pictures smaller or fewer: the form says how much is taken.");
  }
  const sending = document.getElementById("sending");
  const sent = document.getElementById("sent");
  const query = new URLSearchParams({ name: name.value });
  if (form.elements.size.value) query.set("size", form.elements.size.value);
  if (form.elements.mirror.value !== "auto") query.set("mirror", form.elements.mirror.value);
  if (form.elements.label_column.value) query.set("label_column", form.elements.label_column.value);
  if (form.elements.missing.value !== "refuse") query.set("missing", form.elements.missing.value);
  for (const word of ["kind", "transposed"]) {
    if (form.elements[word].value !== "auto") query.set(word, form.elements[word].value);
  }
  for (const word of ["order", "train_folder", "test_folder"]) {
    if (form.elements[word].value.trim()) query.set(word, form.elements[word].value.trim());
  }
  if (form.elements.skip_broken.checked) query.set("skip_broken", "true");
  const request = new XMLHttpRequest();
  const over = () => { sending.hidden = true; button.disabled = false; };
  request.open("POST", `/v1/datasets?${query}`);
  request.setRequestHeader("Content-Type", "application/zip");
  request.upload.addEventListener("progress", (now) => {
    if (now.lengthComputable) { sent.max = now.total; sent.value = now.loaded; }
  });
  request.addEventListener("load", () => {
    over();
    if (request.status !== 202 && request.status !== 200) return refuse(request);
    if (request.status === 202) {
      const inspected = "It is being inspected: this takes a second for every few thousand pictures.";
      tell("", "It has arrived", [...JSON.parse(request.responseText).remarks, inspected].join(" "));
    }
    show(request.getResponseHeader("Location"));
  });
  request.addEventListener("error", () => {
    over();
    tell("bad", "The connection broke", "Nothing was kept of it; send it again.");
  });
  sending.hidden = false;
  button.disabled = true;
  tell("", "Sending", chosen.name);
  request.send(chosen);
});

for (const waiting of document.querySelectorAll("[data-inspecting]")) {
  settled(`/v1/datasets/${waiting.dataset.inspecting}`).then(() => location.reload());
}
