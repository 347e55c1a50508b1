// What every page does once it is there: the switch between light and dark, and buttons that copy.
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
const button = document.getElementById("theme");

const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
const say = () => {
  button.setAttribute("aria-label", dark() ? "Switch to light colours" : "Switch to dark colours");
};

if (button) {
  button.hidden = false;
  say();
  system.addEventListener("change", say);
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* then only this page remembers */ }
    say();
  });
}

const offer = () => { for (const copy of document.querySelectorAll("button[data-copy]")) copy.hidden = false; };
offer();
document.addEventListener("refreshed", offer);

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("button[data-copy]");
  if (!copy) return;
  const said = copy.textContent;
  try {
    await navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent);
    copy.textContent = "Copied";
  } catch {
    copy.textContent = "Select and copy it";
  }
  setTimeout(() => { copy.textContent = said; }, 1500);
});

for (const form of document.querySelectorAll("form[data-auto]")) {
  form.addEventListener("change", (event) => { if (event.target.matches("select")) form.requestSubmit(); });
}
