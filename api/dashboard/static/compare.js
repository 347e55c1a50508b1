// Jobs beside each other: one slider for the pictures of all of them.
import { Reel, Scrubber } from "./film.js";

const root = document.getElementById("scrubber");
if (root) new Scrubber(root, [...document.querySelectorAll("[data-reel]")].map((each) => new Reel(each)));
