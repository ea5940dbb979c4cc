// The service worker keeps the site for use without a network.

const SECONDS = 5; // that the page waits for it; without, it works as well

/**
 * Register the service worker, so that everything the page fetches from here on is kept.
 * @param {URL} script address of the service worker.
 */
export async function openOfflineCache(script) {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return; // neither HTTPS nor localhost, or a private window
  try {
    await serviceWorker.register(script);
  } catch {
    return; // the browser does not want to keep anything
  }
  if (serviceWorker.controller) return;
  await new Promise((done) => {
    serviceWorker.addEventListener("controllerchange", done, { once: true });
    setTimeout(done, 1000 * SECONDS);
  });
}
