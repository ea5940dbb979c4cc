// The page: its puzzle, its model, and what the model answers.
import { ArcChooser } from "./arc-chooser.js";
import { encode } from "./arc-grids.js";
import { askVariants, makeRanking } from "./ballot.js";
import { element } from "./dom.js";
import { Editor } from "./editor.js";
import { Model } from "./model.js";
import { openOfflineCache } from "./offline.js";
import { Answer, makeTable, summarise } from "./results.js";
import { Site, fetcher } from "./site.js";
import { makeTask } from "./tasks.js";

const base = new URL("..", import.meta.url);
const find = (id) => document.getElementById(id);

/** Everything on the page that changes. */
class App {
  /** @param {Site} site the files. */
  constructor(site) {
    this.site = site;
    this.description = site.content.task;
    this.task = makeTask(this.description);
    [this.graph, this.float32] = site.content.graphs;
    this.editor = new Editor(this.task, this.description, () => this.check());
    this.model = new Model((bytes) => this.showProgress(bytes));
    this.chooser = null;
    this.row = 0; // of the site's puzzle embeddings
    this.isReady = false;
    this.isSolving = false;
    this.isStopped = false;
  }

  /** Build the page around its puzzle. */
  async build() {
    find("editor").replaceChildren(this.editor.root);
    find("clear").addEventListener("click", () => this.load(this.task.empty(this.editor.tokens)));
    find("use-text").addEventListener("click", () => this.read(find("text").value));
    find("solve").addEventListener("click", () => this.runOrStop(() => this.solve()));
    document.addEventListener("paste", (event) => this.paste(event));
    if (this.float32) {
      const size = (this.float32.size / 1e6).toFixed(1);
      find("compare-text").textContent = `Compare with float32 (${size} MB more)`;
      find("compare-option").hidden = false;
    }
    if (this.description.name === "arc") await this.addTasks();
    else this.addExamples();
    this.describe();
  }

  /** Buttons for puzzles to try. */
  addExamples() {
    const { examples } = this.site.content;
    for (const { label, tokens, steps } of examples) {
      const title = `The float32 model takes ${steps} ${steps === 1 ? "step" : "steps"}`;
      const load = () => this.load(tokens);
      find("examples").append(element("button", { type: "button", title, onclick: load }, label));
    }
    this.load(examples[0].tokens);
  }

  /** The ARC tasks of the site, the votes of their variants, and the numbers of colours. */
  async addTasks() {
    const load = (tokens, row) => {
      this.row = row;
      this.load(tokens);
    };
    this.chooser = new ArcChooser(await this.site.arcTasks(), this.task, load);
    find("examples").replaceWith(this.chooser.root);
    find("vote").addEventListener("click", () => this.runOrStop(() => this.vote()));
    find("text-label").textContent = "Type or paste a grid: [[0,1],[2,3]], or lines of digits";
    find("numbers-option").hidden = false;
    find("numbers").addEventListener("change", ({ target }) => {
      document.body.classList.toggle("numbered", target.checked);
    });
    this.chooser.start();
  }

  /** Load the model; until then a puzzle can be chosen already. */
  async start() {
    try {
      const threads = await this.model.open();
      await this.model.load(this.graph.name);
      find("threads").textContent = threads;
      this.isReady = true;
      find("loading").hidden = true;
      this.check();
    } catch (error) {
      fail(error);
    }
  }

  showProgress(bytes) {
    if (this.isReady) return;
    const { download } = this.site.content;
    find("progress").max = download;
    find("progress").value = Math.min(bytes, download);
  }

  load(tokens) {
    this.editor.load(tokens);
    this.check();
  }

  read(text) {
    try {
      this.load(this.task.parse(text));
    } catch (error) {
      find("puzzle-status").textContent = error.message;
    }
  }

  paste(event) {
    if (event.target.closest("textarea, input")) return;
    event.preventDefault();
    this.read(event.clipboardData.getData("text"));
  }

  /** Say what keeps the puzzle from being solved. */
  check() {
    const problem = this.task.puzzleProblem(this.editor.tokens);
    find("text").value = this.task.text(this.editor.tokens);
    find("puzzle-status").textContent = problem ?? "";
    find("solve").disabled = !this.isSolving && (problem !== null || !this.isReady);
    this.checkVote();
  }

  /** Offer a vote where the chosen task has variants. */
  checkVote() {
    if (this.chooser === null) return;
    const { length } = this.chooser.chosen.variants;
    find("vote").hidden = length < 2;
    find("vote").disabled = this.isSolving || !this.isReady;
    find("vote").textContent = `Vote of ${length} variants`;
  }

  /** Run what takes a while, or stop what runs. */
  async runOrStop(action) {
    if (this.isSolving) {
      this.isStopped = true;
      this.model.stop();
      return;
    }
    this.isSolving = true;
    this.isStopped = false;
    find("solve").textContent = "Stop";
    this.check();
    find("comparison").replaceChildren();
    find("answers").replaceChildren();
    try {
      await action();
    } catch (error) {
      find("summary").textContent = error.message;
    }
    this.isSolving = false;
    find("solve").textContent = "Solve";
    this.check();
  }

  async vote() {
    const puzzle = [...this.editor.tokens];
    const judge = this.task.judge(puzzle);
    const { variants } = this.chooser.chosen;
    const tell = (number) => {
      find("summary").textContent = `Asking variant ${number} of ${variants.length} …`;
    };
    await this.model.load(this.graph.name);
    const ranking = this.isStopped ? null : await askVariants(this.model, this.graph.name, puzzle, variants, tell);
    if (ranking === null) {
      find("summary").textContent = "Stopped.";
      return;
    }
    const { verdict } = judge(encode(ranking[0].grid));
    const text = `${ranking[0].votes} of ${variants.length} variants agree on an answer: ${verdict}.`;
    find("summary").textContent = text;
    find("comparison").replaceChildren(makeRanking(ranking, judge));
  }

  async solve() {
    const puzzle = [...this.editor.tokens];
    const { row } = this;
    const graphs = [this.graph];
    if (this.float32 && find("compare").checked) graphs.push(this.float32);
    const mode = find("every-step").checked ? "fixed" : "adaptive";
    const answers = graphs.map((graph) => new Answer(this.task, this.description, graph, puzzle, mode));
    find("summary").textContent = "Solving …";
    find("answers").replaceChildren(...answers.map((answer) => answer.figure));
    find("results").scrollIntoView({ block: "nearest" });
    const take = (answer, step) => {
      answer.add(step);
      // All begin together, so that they can be compared.
      if (step.step === 1 && answer === answers.at(-1)) answers.forEach((each) => each.play());
    };
    for (const answer of answers) {
      const { name } = answer.graph;
      await this.model.load(name);
      if (!this.isStopped) {
        await this.model.solve(name, puzzle, mode, (step) => take(answer, step), row);
      }
      if (this.isStopped) {
        find("summary").textContent = "Stopped.";
        return;
      }
    }
    find("summary").textContent = summarise(answers);
    find("comparison").replaceChildren(makeTable(answers));
  }

  describe() {
    const { manifest, content } = this.site;
    const { checkpoint, model } = manifest;
    const rows = [
      ["Checkpoint", `${checkpoint.name}, ${checkpoint.parameters.toLocaleString("en")} parameters`],
      ["Graph", `${this.graph.label}, SHA-256 ${manifest.files[this.graph.step].sha256.slice(0, 12)}…`],
      ["Halts", `${model.no_ACT_continue ? "q_halt > 0" : "q_halt > q_continue"}, or after ${model.halt_max_steps} steps`],
      ["Runs on", `ONNX Runtime Web ${content.runtime}, WebAssembly, CPU threads: `],
    ];
    for (const [term, text] of rows) {
      find("facts").append(element("dt", {}, term), element("dd", {}, text));
    }
    find("facts").lastChild.append(element("span", { id: "threads" }, "…"));
  }
}

function fail(error) {
  find("loading").hidden = false;
  find("progress").hidden = true;
  find("loading-text").textContent = `The model cannot be loaded. ${error.message}`;
}

try {
  await openOfflineCache(new URL("service-worker.js", base));
  const app = new App(await Site.open(fetcher(base)));
  await app.build();
  await app.start();
} catch (error) {
  fail(error);
}
