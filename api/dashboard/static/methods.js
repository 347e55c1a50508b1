// The search of the catalogue, while it is typed: hides what the server would leave out.
const search = document.getElementById("q");
const count = document.getElementById("found");
const methods = [...document.querySelectorAll("article.method")].map((entry) => [entry, `${entry.textContent} ${entry.dataset.family}`.toLowerCase()]);

const show = () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const [entry, told] of methods) entry.hidden = !words.every((word) => told.includes(word));
  for (const family of document.querySelectorAll("main section")) family.hidden = !family.querySelector("article:not([hidden])");
  const shown = methods.filter(([entry]) => !entry.hidden).length;
  count.textContent = count.dataset.all === String(shown) ? "" : `${shown} of ${count.dataset.all} methods`;
};

search.addEventListener("input", () => {
  show();
  history.replaceState(null, "", search.value.trim() ? `/methods?q=${encodeURIComponent(search.value.trim())}` : "/methods");
});
search.form.addEventListener("submit", (event) => event.preventDefault());
