/**
 * Keeps the list of newest entries up to date while somebody looks at it.
 *
 * The server renders the same fragment as on load; an unchanged log answers 304 and costs nothing here.
 * Rows are kept by id, so focus, selection and scroll position stay where they are.
 */

const PERIOD_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
const ANNOUNCE_EVERY_MS = 5_000;

const page = document.querySelector("#newest");
const news = document.querySelector("#news");

let etag = page.dataset.etag;
let arrived = [];
let announcedAt = 0;

function rows(root) {
  return new Map([...root.querySelectorAll("#entries > li")].map((row) => [row.dataset.entry, row]));
}

/** Brings the rows shown to those of `fresh`, moving nothing that stays, and returns the new ones. */
function merge(shown, fresh) {
  const known = rows(shown);
  const wanted = rows(fresh);
  for (const [id, row] of known) {
    if (!wanted.has(id)) row.remove();
  }
  const list = shown.querySelector("#entries");
  const added = [];
  let place = list.firstElementChild;
  for (const [id, row] of wanted) {
    if (known.has(id)) {
      place = known.get(id).nextElementSibling;
    } else {
      list.insertBefore(row, place);
      row.classList.add("arrived");
      added.push(row);
    }
  }
  return added;
}

/** Replaces a part only if it says something else, so that a screen reader is not told the same again. */
function renew(selector, fresh) {
  const old = page.querySelector(selector);
  const now = fresh.querySelector(selector);
  if (old && now && old.outerHTML !== now.outerHTML) {
    if (selector === "#alarm") old.replaceChildren(...now.childNodes);
    else old.replaceWith(now);
  }
}

function show(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = template.content;
  if (page.querySelector("#entries") && fresh.querySelector("#entries")) {
    renew("#alarm", fresh);
    renew("#seal", fresh);
    renew(".more", fresh);
    arrived.push(...merge(page, fresh));
  } else {
    arrived.push(...rows(fresh).values());
    page.replaceChildren(fresh);
  }
}

/** One polite sentence for all that came in, at most every few seconds. */
function announce() {
  if (arrived.length === 0 || Date.now() - announcedAt < ANNOUNCE_EVERY_MS) return;
  const blocked = arrived.filter((row) => row.dataset.verdict === "blocked").length;
  const count = arrived.length === 1 ? "1 new entry" : `${arrived.length} new entries`;
  news.textContent = blocked ? `${count}, ${blocked} blocked` : count;
  arrived = [];
  announcedAt = Date.now();
}

function say(state, text) {
  const live = page.querySelector("#live");
  if (live && live.textContent !== text) {
    live.className = `live ${state}`;
    live.textContent = text;
  }
}

async function ask() {
  const answer = await fetch(page.dataset.source, { headers: { "If-None-Match": etag }, cache: "no-store" });
  if (answer.status === 401) return location.reload();
  if (answer.status === 200) {
    show(await answer.text());
    etag = answer.headers.get("ETag");
  } else if (answer.status !== 304) {
    throw new Error(`answered ${answer.status}`);
  }
}

/** Resolves at once while the page can be seen, else when it is looked at again. */
function seen() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

for (let pause = PERIOD_MS; ; await sleep(pause)) {
  await seen();
  try {
    await ask();
    pause = PERIOD_MS;
    say("", "Live");
  } catch {
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    say("waiting", "Scriba does not answer; trying again");
  }
  announce();
}
