// The files of the site: fetched, unpacked, and checked against the hash in the bundle's manifest or in site.json.
import { sha256 } from "./sha256.js";

const GZIP = [0x1f, 0x8b];
const ROWS = "examples/puzzle_embeddings.bin.gz";
const ARC_TASKS = "examples/tasks.json.gz";
const FORMATS = { site: "trm-edge.page/1", bundle: "trm-edge.bundle/1" };

/** A site that `trm-edge page` wrote. */
export class Site {
  /**
   * @param {(path: string) => Promise<Uint8Array>} read reads a file of the site.
   * @param {object} content of site.json.
   * @param {object} manifest of the bundle.
   */
  constructor(read, content, manifest) {
    this.read = read;
    this.content = content;
    this.manifest = manifest;
  }

  /**
   * Read what the site has.
   * @param {(path: string) => Promise<Uint8Array>} read reads a file of the site.
   */
  static async open(read) {
    const content = parse(await read("site.json"), "site.json", FORMATS.site);
    const record = content.files["bundle/manifest.json"];
    const bytes = await checked(await read("bundle/manifest.json"), "bundle/manifest.json", record);
    return new Site(read, content, parse(bytes, "bundle/manifest.json", FORMATS.bundle));
  }

  /** The configuration of the model. */
  get model() {
    return this.manifest.model;
  }

  /**
   * Read a step graph.
   * @param {string} name of a graph in site.json.
   */
  async graph(name) {
    const { step, path } = this.content.graphs.find((graph) => graph.name === name);
    return checked(await unpacked(await this.read(path)), step, this.manifest.files[step]);
  }

  /** Read the rows of the puzzle-embedding table that the site has, one after the other. */
  async rows() {
    if (!this.model.puzzle_emb_ndim) return new Float32Array();
    const bytes = await this.file(ROWS);
    return new Float32Array(bytes.slice().buffer);
  }

  /** Read the ARC tasks of the site. */
  async arcTasks() {
    return JSON.parse(new TextDecoder().decode(await this.file(ARC_TASKS)));
  }

  /**
   * Read another file of the site.
   * @param {string} path as in site.json.
   */
  async file(path) {
    return checked(await unpacked(await this.read(path)), path, this.content.files[path]);
  }
}

/**
 * Make a reader of files by `fetch`, which tells how far it is.
 * @param {URL} base address of the site.
 * @param {(path: string, bytes: number) => void} progress is told of the bytes of every part.
 */
export function fetcher(base, progress = () => {}) {
  return async (path) => {
    const response = await fetch(new URL(path, base));
    if (!response.ok) throw new Error(`${path} cannot be loaded: ${response.status} ${response.statusText}`);
    const parts = [];
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      progress(path, value.length);
    }
    return joined(parts);
  };
}

/**
 * Refuse bytes that are not those of a record.
 * @param {Uint8Array} bytes the content.
 * @param {string} path names it in errors.
 * @param {{sha256: string, size: number}|undefined} record what it should be.
 */
export async function checked(bytes, path, record) {
  if (record === undefined) throw new Error(`${path} is not among the files of the site.`);
  const sum = await sha256(bytes);
  if (bytes.length !== record.size || sum !== record.sha256) {
    throw new Error(
      `${path} is damaged or of another version: expected ${record.size} bytes with SHA-256 ` +
        `${record.sha256.slice(0, 12)}…, but got ${bytes.length} bytes with ${sum.slice(0, 12)}…. ` +
        "Reload the page; if that does not help, upload the whole site again.",
    );
  }
  return bytes;
}

/**
 * Unpack gzip; leave other bytes alone, since some hosts unpack files on the way.
 * @param {Uint8Array} bytes a file as it came.
 */
export async function unpacked(bytes) {
  if (bytes[0] !== GZIP[0] || bytes[1] !== GZIP[1]) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function parse(bytes, path, format) {
  const content = JSON.parse(new TextDecoder().decode(bytes));
  if (content.format !== format) {
    throw new Error(`${path} must have the format ${format}, but has ${content.format}.`);
  }
  return content;
}

function joined(parts) {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
