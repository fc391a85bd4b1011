"use strict";
// Which entries are shown, and in which order. These functions touch no page.

// entries: {number, name, prediction, label, target, scores: [number or null, ...]}
// wanted: {text, prediction, label, target, verdict, score, descending}; "" and null let all pass
function chosen(entries, wanted) {
  const text = wanted.text.trim().toLowerCase();
  const kept = entries.filter((entry) =>
    entry.name.toLowerCase().includes(text) &&
    ["prediction", "label", "target"].every((field) => wanted[field] === "" || entry[field] === wanted[field]) &&
    (wanted.verdict === "" || (entry.label !== "" && (entry.label === entry.prediction) === (wanted.verdict === "right"))));
  if (wanted.score === null) return kept.sort((a, b) => a.number - b.number);
  const value = (entry) => entry.scores[wanted.score];
  const known = kept.filter((entry) => value(entry) !== null);
  const unknown = kept.filter((entry) => value(entry) === null);
  const compare = (a, b) => (value(a) === value(b) ? a.number - b.number : (value(a) < value(b)) !== wanted.descending ? -1 : 1);
  return known.sort(compare).concat(unknown);  // what has no number comes last in both directions
}

// The place of the entry that an arrow key leads to, from place `from` (-1: none yet) of `count`.
function neighbour(from, step, count) {
  return from < 0 ? (step > 0 ? 0 : count - 1) : from + step;
}

function startGallery() {
  const get = (id) => document.getElementById(id);
  const list = get("entries");
  const entries = Array.from(list.querySelectorAll(".entry"), (element) => ({
    ...element.dataset, element, number: Number(element.dataset.number), scores: JSON.parse(element.dataset.scores),
  }));
  let shown = entries;

  function wanted() {
    const value = (id) => (get(id) ? get(id).value : "");
    return {
      text: value("text"), prediction: value("prediction"), label: value("label"), target: value("target"),
      verdict: value("verdict"), score: value("score") === "" ? null : Number(value("score")), descending: value("direction") === "down",
    };
  }

  function show() {
    shown = chosen(entries, wanted());
    const kept = new Set(shown);
    entries.forEach((entry) => { entry.element.hidden = !kept.has(entry); });
    list.append(...shown.map((entry) => entry.element));
    get("shown").textContent = `${shown.length} of ${entries.length} shown`;
  }

  function turn(slider) {
    const strip = slider.closest(".strip");
    strip.querySelectorAll(".step").forEach((step, i) => { step.hidden = i !== Number(slider.value); });
    slider.setAttribute("aria-valuetext", strip.querySelector(".step:not([hidden])").dataset.label);
  }

  function move(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select")) return;
    const current = document.activeElement.closest(".entry");
    const place = neighbour(shown.findIndex((entry) => entry.element === current), step, shown.length);
    const next = shown[place];
    if (next) {
      event.preventDefault();
      next.element.focus();
      next.element.scrollIntoView({ block: "nearest" });
    } else if (get(step > 0 ? "next" : "previous")) {
      get(step > 0 ? "next" : "previous").click();
    }
  }

  get("filters").addEventListener("input", show);
  get("filters").addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", move);
  const sliders = Array.from(document.querySelectorAll(".knob"));
  sliders.forEach((slider) => slider.addEventListener("input", () => turn(slider)));
  sliders.forEach(turn);  // a reload may have restored another place
  if (get("heat")) {
    const setHeat = () => document.documentElement.style.setProperty("--heat", get("heat").value / 100);
    get("heat").addEventListener("input", setHeat);
    setHeat();
  }
  if (get("all")) {
    get("all").addEventListener("input", () => sliders.forEach((slider) => {
      slider.value = Math.round(slider.max * get("all").value / 100);
      turn(slider);
    }));
  }
  window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
  show();
}

if (typeof document !== "undefined") startGallery();
