// Pictures by outer step: a reel is a frame that shows one of them and the list of all; a scrubber moves reels together.
const spoken = (step) => `step ${step.toLocaleString("en")}`;

export class Reel {
  constructor(root) {
    this.root = root;
    this.frame = root.querySelector(".frame");
    this.film = root.querySelector(".film");
    this.said = root.querySelector("[data-shown]");
    this.shots = [...root.querySelectorAll(".film a[data-step]")].map((link) => ({ step: Number(link.dataset.step), url: link.href }));
  }

  /** The picture of this step, or of the one before it that has one. */
  show(step) {
    const shot = this.shots.findLast((each) => each.step <= step) ?? this.shots[0];
    if (!shot) return;
    this.frame.hidden = false;
    if (this.frame.getAttribute("src") !== shot.url) this.frame.src = shot.url;
    this.frame.alt = `Synthetic images${this.root.dataset.of ?? ""} at outer step ${shot.step}: a column for each of the first classes`;
    this.said.textContent = spoken(shot.step);
  }

  /** One more picture, or another one of the same step. */
  take(step, url) {
    this.shots = [...this.shots.filter((each) => each.step !== step), { step, url }].sort((one, other) => one.step - other.step);
    const image = Object.assign(document.createElement("img"), { className: "pixels", loading: "lazy", src: url, alt: `At step ${step}` });
    const link = Object.assign(document.createElement("a"), { href: url });
    link.dataset.step = step;
    link.append(image, Object.assign(document.createElement("span"), { className: "small", textContent: step.toLocaleString("en") }));
    this.film.querySelector(`a[data-step="${step}"]`)?.parentElement.remove();
    const item = document.createElement("li");
    item.append(link);
    this.film.insertBefore(item, this.film.children[this.shots.findIndex((each) => each.step === step)] ?? null);
  }
}

export class Scrubber {
  constructor(root, reels) {
    this.root = root;
    this.reels = reels;
    this.slide = root.querySelector("input");
    this.button = root.querySelector("button");
    this.playing = 0;
    this.slide.addEventListener("input", () => { this.stop(); this.show(); });
    this.button.addEventListener("click", () => (this.playing ? this.stop() : this.play()));
    this.lay();
  }

  get ended() { return Number(this.slide.value) >= Number(this.slide.max); }

  /** Takes up what the reels have: at the end it stays at the end, elsewhere at its step. The pictures follow it. */
  lay() {
    const at = this.ended ? Infinity : this.steps?.[Number(this.slide.value)] ?? 0;
    this.steps = [...new Set(this.reels.flatMap((reel) => reel.shots.map((shot) => shot.step)))].sort((one, other) => one - other);
    const last = Math.max(0, this.steps.length - 1);
    this.root.hidden = last < 1;
    this.slide.max = last;
    this.slide.value = Math.max(0, this.steps.findLastIndex((step) => step <= at));
    this.show();
  }

  show() {
    const step = this.steps[Number(this.slide.value)];
    if (step === undefined) return;
    this.slide.setAttribute("aria-valuetext", spoken(step));
    for (const reel of this.reels) reel.show(step);
  }

  play() {
    if (this.ended) this.slide.value = 0;
    this.button.textContent = "Pause";
    this.show();
    this.playing = setInterval(() => {
      if (this.ended) return this.stop();
      this.slide.value = Number(this.slide.value) + 1;
      this.show();
    }, 180);
  }

  stop() { clearInterval(this.playing); this.playing = 0; this.button.textContent = "Play"; }
}
