// What a graph answers, step by step, and the graphs side by side.
import { element, makeBoard, showWindow } from "./dom.js";
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
    this.judge = task.judge(puzzle);
    this.steps = [];
    const { looks } = description;
    this.puzzle = puzzle;
    this.data = { looks, puzzle: task.visible(puzzle, puzzle), steps: [], changed: [], confidence: [], isComplete: false };
    this.text = element("pre");
    this.bars = element("ol", {
      class: "confidence",
      "aria-label": "Confidence of the halting head by step, in per cent",
    });
    const label = { role: "img", "aria-label": `Answer of ${graph.label}` };
    this.board = makeBoard(task.answerBoard(puzzle), label).board;
    this.figure = element(
      "figure",
      { class: "refinement" },
      element("figcaption", {}, graph.label),
      element("div", { class: "stage" }, this.board),
      makeControls(graph.label),
      element("p", { class: "status" }),
      this.bars,
      element("details", {}, element("summary", {}, "Answer as text"), this.text),
    );
    this.player = createPlayer(this.figure, this.data);
    this.fit();
  }

  /** Show as much of the board as the grids of all steps need, where they are smaller. */
  fit() {
    const { puzzle, steps } = this.data;
    if (this.task.window) showWindow(this.board, this.task.window([puzzle, ...steps]));
  }

  /**
   * Take a step.
   * @param {object} step as the runner hands it out.
   */
  add(step) {
    const { data } = this;
    const before = data.steps.at(-1) ?? data.puzzle;
    const tokens = this.task.visible(step.tokens, this.puzzle);
    this.steps.push(step);
    data.steps.push(tokens);
    data.changed.push(changedCells(before, tokens));
    data.confidence.push(step.confidence);
    data.isComplete = step.isDone;
    this.bars.append(makeBar(step));
    this.text.textContent = this.task.rows(step.tokens, this.puzzle);
    this.fit();
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

  /** The judgement of the answer: its `verdict` in a word or two, and the `reason`, null where it is right. */
  get judgement() {
    return this.judge(this.last.tokens);
  }

  /** Milliseconds of all steps together. */
  get milliseconds() {
    return this.steps.reduce((sum, step) => sum + step.milliseconds, 0);
  }
}

/**
 * Say in a sentence what came out.
 * @param {Answer[]} answers of the graphs, the bundle's own first.
 */
export function summarise(answers) {
  const sentences = answers.map((answer) => {
    const { verdict, reason } = answer.judgement;
    const judged = reason === null ? verdict : `${verdict}, ${reason}`;
    const isHalted = answer.mode === "adaptive" && answer.last.halted;
    const end = isHalted ? "halted after" : "took all";
    const count = answer.steps.length;
    return `${answer.graph.label}: ${judged}; ${end} ${count} ${count === 1 ? "step" : "steps"}.`;
  });
  if (answers.length > 1) {
    const [first, second] = answers.map((answer) => answer.data.steps.at(-1));
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
      answer.judgement.verdict,
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
