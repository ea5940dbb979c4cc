// Chooses an ARC task: shows its demonstrations, its test inputs and their known solutions.
import { encode } from "./arc-grids.js";
import { element } from "./dom.js";
import { makeThumbnail } from "./thumbnails.js";

/** The tasks of a site, of which one is chosen. */
export class ArcChooser {
  /**
   * @param {object[]} tasks as `trm-edge page` wrote them.
   * @param {object} task is told the pairs of the chosen task, of which it judges answers.
   * @param {(tokens: number[], row: number) => void} onChoose takes the tokens of a test input and the task's row.
   */
  constructor(tasks, task, onChoose) {
    this.tasks = tasks;
    this.task = task;
    this.onChoose = onChoose;
    const options = tasks.map((each, index) => element("option", { value: index }, optionName(each)));
    this.select = element("select", { onchange: () => this.choose(Number(this.select.value)) }, ...options);
    this.demonstrations = element("div", { class: "demonstrations" });
    this.tests = element("div", { class: "examples", role: "group", "aria-label": "Test inputs" });
    this.outcome = element("p", { class: "status" });
    this.solution = element("details");
    this.root = element(
      "div",
      {},
      element("label", { class: "choice" }, `Task, of ${tasks.length}`, this.select),
      this.demonstrations,
      this.tests,
      this.outcome,
      this.solution,
    );
  }

  /** Choose a task that the model solves, where it is known that it solves any. */
  start() {
    const index = this.tasks.findIndex(isSolved);
    this.choose(Math.max(index, 0));
  }

  /** The chosen task. */
  get chosen() {
    return this.tasks[Number(this.select.value)];
  }

  choose(index) {
    this.select.value = index;
    const { demonstrations, tests } = this.chosen;
    this.task.pairs = [...tests, ...demonstrations];
    const pairs = demonstrations.map((pair, number) => this.makePair(pair, `demonstration ${number + 1}`));
    if (!pairs.length) pairs.push(element("p", { class: "small" }, "The page has no demonstrations of this task."));
    this.demonstrations.replaceChildren(...pairs);
    const buttons = tests.map((test, number) => {
      const load = () => this.load(test);
      return element("button", { type: "button", onclick: load }, `Test ${number + 1}`);
    });
    this.tests.replaceChildren(...buttons);
    this.load(tests[0]);
  }

  load(test) {
    this.outcome.hidden = test.outcome === null;
    this.outcome.textContent = test.outcome === null ? "" : outcomeSentence(test.outcome);
    this.solution.hidden = test.output === null;
    this.solution.open = false;
    if (test.output !== null) {
      const picture = makeThumbnail(test.output, "Solution");
      this.solution.replaceChildren(element("summary", {}, "The known solution"), picture);
    }
    const [[, , row]] = this.chosen.variants;
    this.onChoose(encode(test.input), row);
  }

  makePair({ input, output }, name) {
    const pictures = Object.entries({ Input: input, Output: output }).map(([kind, grid]) => {
      return makeThumbnail(grid, `${kind} of ${name}`);
    });
    const arrow = element("span", { "aria-hidden": "true" }, "→");
    return element("div", { class: "pair" }, pictures[0], arrow, pictures[1]);
  }
}

function isSolved({ tests }) {
  return tests.every(({ outcome }) => outcome?.[0]);
}

function optionName(task) {
  if (task.tests.some(({ outcome }) => outcome === null)) return task.name;
  return `${task.name}, ${isSolved(task) ? "solved" : "not solved"}`;
}

function outcomeSentence([isRight, steps]) {
  if (!isRight) return "The float32 model does not solve this one.";
  return `The float32 model solves this one in ${steps} ${steps === 1 ? "step" : "steps"}.`;
}
