// Serves the site from the cache, so that it works without a network. SITE stands above this line in a
// written site: its version, the small files, and the large ones, which are kept when they are first used.

const CACHE = `trm-edge-page ${registration.scope} ${SITE.version}`;
const PAGE = "index.html";
const FILES = new Set([...SITE.small, ...SITE.large]);

addEventListener("install", (event) => {
  event.waitUntil(keepSmallFiles());
});

addEventListener("activate", (event) => {
  event.waitUntil(takeOver());
});

addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || !url.href.startsWith(registration.scope)) return;
  const path = decodeURI(url.href.slice(registration.scope.length).replace(/[?#].*$/, "")) || PAGE;
  if (FILES.has(path)) event.respondWith(serve(path));
});

async function keepSmallFiles() {
  const cache = await caches.open(CACHE);
  const requests = SITE.small.map((path) => new Request(path, { cache: "no-cache" }));
  await cache.addAll(requests);
}

async function takeOver() {
  const prefix = `trm-edge-page ${registration.scope} `;
  for (const name of await caches.keys()) {
    if (name.startsWith(prefix) && name !== CACHE) await caches.delete(name);
  }
  await clients.claim();
}

async function serve(path) {
  const cache = await caches.open(CACHE);
  let response = await cache.match(path);
  if (!response) {
    response = await fetch(path, { cache: "no-cache" });
    if (response.ok) await cache.put(path, response.clone());
  }
  return isolated(response);
}

/** Isolate the page from other origins, which lets it share memory between threads on any host. */
function isolated(response) {
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}
