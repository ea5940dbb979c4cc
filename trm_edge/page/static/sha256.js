// SHA-256 (FIPS 180-4). A browser has its own only for HTTPS and localhost; a page that is tried on a phone
// in the same house often has neither.

const PRIMES = primes(64);
const ROUND = PRIMES.map((prime) => fraction(Math.cbrt(prime)));
const START = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));

/**
 * Hash bytes; with the browser's own code where it has some.
 * @param {Uint8Array} bytes the content.
 * @param {object|undefined} subtle `crypto.subtle`.
 * @returns {Promise<string>} 64 hexadecimal digits.
 */
export async function sha256(bytes, subtle = globalThis.crypto?.subtle) {
  if (subtle) return hexadecimal(new Uint8Array(await subtle.digest("SHA-256", bytes)));
  return hexadecimal(digest(bytes));
}

function digest(bytes) {
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(padded.length - 4, bytes.length << 3);
  const hash = Uint32Array.from(START);
  const words = new Uint32Array(64);
  for (let offset = 0; offset < padded.length; offset += 64) {
    expand(view, offset, words);
    mix(hash, words);
  }
  const result = new Uint8Array(32);
  const output = new DataView(result.buffer);
  hash.forEach((word, index) => output.setUint32(4 * index, word));
  return result;
}

function expand(view, offset, words) {
  for (let index = 0; index < 16; index += 1) words[index] = view.getUint32(offset + 4 * index);
  for (let index = 16; index < 64; index += 1) {
    const early = words[index - 15];
    const late = words[index - 2];
    const low = rotated(early, 7) ^ rotated(early, 18) ^ (early >>> 3);
    const high = rotated(late, 17) ^ rotated(late, 19) ^ (late >>> 10);
    words[index] = words[index - 16] + low + words[index - 7] + high;
  }
}

function mix(hash, words) {
  let [a, b, c, d, e, f, g, h] = hash;
  for (let index = 0; index < 64; index += 1) {
    const choice = (e & f) ^ (~e & g);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const high = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
    const low = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
    const first = (h + high + choice + ROUND[index] + words[index]) | 0;
    const second = (low + majority) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, index) => {
    hash[index] += word;
  });
}

function rotated(word, bits) {
  return (word >>> bits) | (word << (32 - bits));
}

/** The first 32 bits behind the point. */
function fraction(root) {
  return Math.floor((root - Math.floor(root)) * 2 ** 32);
}

function primes(count) {
  const list = [];
  for (let number = 2; list.length < count; number += 1) {
    if (list.every((prime) => number % prime)) list.push(number);
  }
  return list;
}

function hexadecimal(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
