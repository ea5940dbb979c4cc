// What a graph answers, step by step, and the graphs side by side.
import { element, makeBoard } from "./dom.js";
import { changedCells } from "./grid.js";
import { createPlayer } from "./player.js";

const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

/** A graph's answer to a puzzle while it comes about. */
export class Answer {
  /**
   * @param {object} task judges the answer.
   * @param {object} description `task` of site.json.
   * @param {{name: string, label: string}} graph of site.json.
   * @param {number[]} puzzle token ids.
   * @param {"adaptive"|"fixed"} mode of halting.
   */
  constructor(task, description, graph, puzzle, mode) {
    this.mode = mode;
    this.task = task;
    this.graph = graph;
    this.puzzle = puzzle;
    this.steps = [];
    const { looks } = description;
    this.data = { looks, puzzle, steps: [], changed: [], confidence: [], isComplete: false };
    this.text = element("pre");
    this.bars = element("ol", {
      class: "confidence",
      "aria-label": "Confidence of the halting head by step, in per cent",
    });
    const { board } = makeBoard(description, { role: "img", "aria-label": `Answer of ${graph.label}` });
    this.figure = element(
      "figure",
      { class: "refinement" },
      element("figcaption", {}, graph.label),
      element("div", { class: "stage" }, board),
      makeControls(graph.label),
      element("p", { class: "status" }),
      this.bars,
      element("details", {}, element("summary", {}, "Answer as text"), this.text),
    );
    this.player = createPlayer(this.figure, this.data);
  }

  /**
   * Take a step.
   * @param {object} step as the runner hands it out.
   */
  add(step) {
    const { data } = this;
    const before = data.steps.at(-1) ?? this.puzzle;
    this.steps.push(step);
    data.steps.push(step.tokens);
    data.changed.push(changedCells(before, step.tokens));
    data.confidence.push(step.confidence);
    data.isComplete = step.isDone;
    this.bars.append(makeBar(step));
    this.text.textContent = this.rows(step.tokens);
    if (reducedMotion.matches) this.player.show(this.steps.length);
    else this.player.update();
  }

  /** Play the steps, also those to come; for people who prefer less motion, each stands still. */
  play() {
    if (!reducedMotion.matches) this.player.start();
  }

  /** The last step. */
  get last() {
    return this.steps.at(-1);
  }

  /** Why the answer is not right; null where it is. */
  get problem() {
    return this.task.problem(this.puzzle, this.last.tokens);
  }

  /** Milliseconds of all steps together. */
  get milliseconds() {
    return this.steps.reduce((sum, step) => sum + step.milliseconds, 0);
  }

  rows(tokens) {
    const { side } = this.task;
    const text = this.task.text(tokens);
    return text.match(new RegExp(`.{${side}}`, "g")).join("\n");
  }
}

/**
 * Say in a sentence what came out.
 * @param {Answer[]} answers of the graphs, the bundle's own first.
 */
export function summarise(answers) {
  const sentences = answers.map((answer) => {
    const verdict = answer.problem === null ? "valid" : `not valid, ${answer.problem}`;
    const isHalted = answer.mode === "adaptive" && answer.last.halted;
    const reason = isHalted ? "halted after" : "took all";
    const count = answer.steps.length;
    return `${answer.graph.label}: ${verdict}; ${reason} ${count} ${count === 1 ? "step" : "steps"}.`;
  });
  if (answers.length > 1) {
    const [first, second] = answers.map((answer) => answer.last.tokens);
    const count = changedCells(first, second).length;
    const noun = count === 1 ? "cell" : "cells";
    sentences.push(count ? `The answers differ in ${count} ${noun}.` : "Both answers are the same.");
  }
  return sentences.join(" ");
}

/**
 * Put the answers of graphs side by side.
 * @param {Answer[]} answers of the graphs.
 */
export function makeTable(answers) {
  const columns = ["Graph", "Answer", "Steps", "Confidence", "Time", "Time a step", "Size"];
  const headings = columns.map((name) => element("th", { scope: "col" }, name));
  const rows = answers.map((answer) => {
    const cells = [
      answer.problem === null ? "valid" : "not valid",
      answer.steps.length,
      `${(100 * answer.last.confidence).toFixed(1)} %`,
      `${answer.milliseconds.toFixed(0)} ms`,
      `${median(answer.steps.map((step) => step.milliseconds)).toFixed(1)} ms`,
      `${(answer.graph.size / 1e6).toFixed(1)} MB`,
    ];
    const heading = element("th", { scope: "row" }, answer.graph.label);
    return element("tr", {}, heading, ...cells.map((text) => element("td", {}, `${text}`)));
  });
  const table = element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...headings)),
    element("tbody", {}, ...rows),
  );
  return element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Comparison" }, table);
}

function makeControls(label) {
  const button = (text, name, description) => {
    const attributes = { type: "button", class: name, "aria-label": description };
    return element("button", attributes, text);
  };
  const slider = element("input", {
    type: "range",
    min: 0,
    max: 0,
    step: 1,
    "aria-label": `Step of ${label}; 0 shows the puzzle`,
  });
  return element(
    "div",
    { class: "controls" },
    button("Play", "play", null),
    button("◂", "back", "Previous step"),
    slider,
    button("▸", "forward", "Next step"),
  );
}

function makeBar({ step, confidence }) {
  const percent = (100 * confidence).toFixed(0);
  const bar = element("li", { title: `step ${step}: ${percent} %` }, element("span", {}, percent));
  bar.style.setProperty("--confidence", confidence.toFixed(4));
  return bar;
}

function median(values) {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
