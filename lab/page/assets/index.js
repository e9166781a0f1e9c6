// One socket a page: the light shows its state, the list what it brought. The session is the last part of the
// path (/play/session-1 → session-1), so that every session has an address of its own.
const DEFAULT_SESSION = "session-874q8t";
const KEEP_ALIVE = 20000; // milliseconds

const last = location.pathname.split("/").filter(Boolean).pop() || "";
const session = /^session-[A-Za-z0-9_-]+$/.test(last) ? last : DEFAULT_SESSION;
const scheme = location.protocol === "https:" ? "wss" : "ws";
const address = `${scheme}://${location.host}/api/mqtt/ws/hints/${encodeURIComponent(session)}`;

const element = (id) => document.getElementById(id);
element("session").textContent = session;
element("address").textContent = address;

function light(state, words) {
  element("status").dataset.state = state;
  element("words").textContent = words;
}

function show(data) {
  const item = document.createElement("li");
  try {
    const hint = JSON.parse(data);
    item.textContent = hint !== null && typeof hint === "object" ? hint.hint ?? JSON.stringify(hint) : String(hint);
  } catch {
    item.textContent = data;
  }
  element("hints").append(item);
}

const socket = new WebSocket(address);
let opened = false;
let keepAlive;
socket.onopen = () => {
  opened = true;
  light("open", "open");
  keepAlive = setInterval(() => socket.send("keep-alive"), KEEP_ALIVE);
};
socket.onmessage = (event) => show(event.data);
socket.onclose = (event) => {
  clearInterval(keepAlive);
  light("failed", opened ? `closed (code ${event.code})` : "failed");
  element("error").hidden = false;
  element("error").textContent = opened
    ? "The connection is gone: no hints will arrive."
    : "The WebSocket could not be opened: no hints will arrive.";
};
