// One job, live: curves, pictures and progress grow as its events arrive; when its state changes, the page's regions
// are fetched anew. A stream that breaks off is taken up where it ended.
import { Plot } from "./chart.js";
import { Reel, Scrubber } from "./film.js";
import { refresh } from "./live.js";

const head = document.getElementById("job");
const ENDED = ["succeeded", "failed", "cancelled"];
const plots = new Map();
for (const figure of document.querySelectorAll("figure[data-metric]")) plots.set(figure.dataset.metric, new Plot(figure));

// The pictures
const images = document.getElementById("images");
const reel = new Reel(images);
const scrubber = new Scrubber(document.getElementById("scrubber"), [reel]);
const take = (step, url) => {
  reel.take(step, url);
  images.hidden = false;
  scrubber.lay();
};

// The events
const link = (text) => {
  const said = document.getElementById("link");
  if (!said) return;
  said.hidden = !text;
  said.textContent = text;
};

let last = Number(head.dataset.seq);
let phase = null;
let due = 0;
const again = (wait = 150) => { clearTimeout(due); due = setTimeout(async () => { if (!(await refresh())) again(2000); }, wait); };

const heard = {
  metric: ({ name, step, value }) => {
    plots.get(name)?.add(step, value);
    if (plots.has(name)) document.getElementById("curves").hidden = false;
  },
  preview: ({ step, sha256 }, seq) => { if (sha256) take(step, `/v1/jobs/${head.dataset.job}/pictures/${seq}`); },
  progress: (data) => {
    if (data.phase !== phase) { phase = data.phase; again(); return; }
    const bar = document.getElementById("bar");
    if (!bar || !data.total) return;
    bar.max = data.total;
    bar.value = data.done ?? 0;
    document.getElementById("count").textContent = `${(data.done ?? 0).toLocaleString("en")} of ${data.total.toLocaleString("en")}`;
  },
  log: () => again(1000),
};
const moves = ["created", "started", "requeued", "pause_requested", "paused", "resumed", "finish_requested", "cancel_requested", "cancelled", "succeeded", "failed"].map((move) => `job.${move}`);

let wait = 1000;
const listen = () => {
  const source = new EventSource(`${head.dataset.events}?after=${last}`);
  const hear = (event) => {
    const { seq, type, data } = JSON.parse(event.data);
    last = Math.max(last, seq);
    wait = 1000;
    if (heard[type]) heard[type](data, seq);
    if (!moves.includes(type)) return;
    head.dataset.status = data.status ?? head.dataset.status;
    again();
    if (ENDED.includes(data.status)) source.close();
  };
  for (const type of [...Object.keys(heard), ...moves]) source.addEventListener(type, hear);
  source.onopen = () => link("");
  source.onerror = () => {
    if (ENDED.includes(head.dataset.status)) { source.close(); return; }
    link("Connection lost, trying again");
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself, with Last-Event-ID
    setTimeout(listen, wait);
    refresh(); // which leaves for the page to log in where the session is over
    wait = Math.min(2 * wait, 15000);
  };
};
if (!ENDED.includes(head.dataset.status)) listen();
document.addEventListener("refreshed", () => {
  const state = document.querySelector("#now .status")?.classList[1];
  if (ENDED.includes(head.dataset.status) && !ENDED.includes(state)) listen(); // somebody has retried it
  if (state) head.dataset.status = state;
});
