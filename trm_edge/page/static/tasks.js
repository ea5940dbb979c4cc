// The tasks that a page can solve, and what all of them have in common.
import { ArcTask } from "./arc.js";
import { MazeTask } from "./maze.js";
import { NanoSudokuTask } from "./nano-sudoku.js";
import { SudokuTask } from "./sudoku.js";

const TASKS = { arc: ArcTask, maze: MazeTask, "nano-sudoku": NanoSudokuTask, sudoku: SudokuTask };

/**
 * Make the task of a site.
 * @param {{name: string}} description `task` of site.json.
 */
export function makeTask(description) {
  const Task = TASKS[description.name];
  if (!Task) throw new Error(`This page has no task ${description.name}.`);
  return new Task(description);
}
