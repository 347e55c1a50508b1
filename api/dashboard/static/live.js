// Keeps every region marked data-live as the server has it now: fetches the page again and puts in what differs.
// data-every on one of them says after how many seconds; a page that nobody sees asks for nothing.
import { away, put } from "./regions.js";

const regions = (page = document) => [...page.querySelectorAll("[data-live][id]")];
const named = (page) => regions(page).map((each) => each.id).join();
let failures = 0;
let timer = 0;
let asking = null;

const pause = () => {
  const every = regions().map((each) => Number(each.dataset.every || 0)).filter(Boolean);
  const seconds = every.length ? Math.min(...every) : 0;
  return seconds && 1000 * Math.min(30, seconds * 2 ** failures);
};

/** Bring every region up to date; false when the service did not answer. */
export const refresh = async () => {
  asking?.abort();
  const mine = (asking = new AbortController());
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" }, signal: mine.signal });
    if (response.redirected) { // the session is over: its page says so, and leads back here
      location.assign(response.url);
      return true;
    }
    if (!response.ok) throw new Error(`${response.status}`);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (named(page) !== named(document)) { // such as the first job's list in the place of how to begin
      location.reload();
      return true;
    }
    for (const old of regions()) {
      const fresh = page.getElementById(old.id);
      if (fresh) put(old, fresh);
    }
    failures = 0;
    away("");
    document.dispatchEvent(new CustomEvent("refreshed"));
    return true;
  } catch (error) {
    if (error.name === "AbortError") return true;
    failures += 1;
    // a job's page says so itself, beside its state
    if (!document.getElementById("link")) away("The service does not answer. This is how things stood when it last did; it is asked again.");
    return false;
  } finally {
    if (asking === mine) asking = null;
  }
};

const round = async () => {
  clearTimeout(timer);
  if (!document.hidden) await refresh();
  plan();
};

const plan = () => {
  clearTimeout(timer);
  const wait = pause();
  if (wait && !document.hidden) timer = setTimeout(round, wait);
};

document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : round()));
plan();
