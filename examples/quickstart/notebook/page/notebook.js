"use strict";
// The page of the shared notebook. Names, colours and texts come from other people: they reach the page as text
// (textContent, value) or, a colour, checked and through the style's own interface; never as markup.
(() => {
  const byID = (id) => document.getElementById(id);
  const { base, login } = document.body.dataset;
  const area = byID("note");

  const name = noteName();
  byID("title").textContent = name;

  function noteName() { // "#plans" opens the note "plans"
    try {
      return decodeURIComponent(location.hash.slice(1)) || "demo";
    } catch {
      return "demo";
    }
  }
  addEventListener("hashchange", () => location.reload());
  addEventListener("pageshow", (event) => event.persisted && location.reload()); // from the back/forward cache

  // ---- People ----

  let me = null;

  function safeColor(color) {
    const plain = /^(#[0-9a-f]{3,8}|[a-z]{3,24}|(rgb|hsl)a?\([0-9.,%/ ]{5,40}\))$/i;
    return typeof color === "string" && plain.test(color) && CSS.supports("color", color) ? color : "";
  }

  // paint gives an element its person's colour, with letters on it that can be read.
  function paint(element, user) {
    element.textContent = user.initials || initialsOf(user.display_name);
    element.style.setProperty("--who", safeColor(user.color) || "#5b6478");
    element.style.removeProperty("--on-who");
    const [r, g, b] = (getComputedStyle(element).backgroundColor.match(/[\d.]+/g) || []).map((v) => (v / 255) ** 2.2);
    if (0.2126 * r + 0.7152 * g + 0.0722 * b > 0.36) element.style.setProperty("--on-who", "#14161d");
  }

  function initialsOf(text) {
    return text.trim().split(/\s+/).slice(0, 2).map((word) => [...word][0] || "").join("").toUpperCase();
  }

  function avatar() {
    const element = document.createElement("span");
    element.className = "avatar";
    element.setAttribute("aria-hidden", "true");
    return element;
  }

  function showMe(user) {
    me = user;
    byID("my-name").textContent = user.display_name;
    paint(byID("my-avatar"), user);
  }

  function showPeople(users) {
    const most = 12;
    const list = byID("people");
    list.replaceChildren();
    const append = (text, user) => {
      const item = document.createElement("li"), label = document.createElement("span"), circle = avatar();
      label.className = "name";
      label.textContent = text;
      if (user) item.append(circle);
      item.append(label);
      list.append(item);
      if (user) paint(circle, user); // now that it is on the page, and its colour can be read back
    };
    for (const user of users.slice(0, most)) {
      const own = me && user.username === me.username;
      if (own) showMe(user);
      append(user.display_name + (own ? " (you)" : ""), user);
    }
    if (users.length > most) append(`and ${users.length - most} more`);
  }

  function showEditor(user) {
    const circle = avatar(), label = document.createElement("span");
    const time = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    label.textContent = `${me && user.username === me.username ? "You" : user.display_name} edited at ${time}`;
    byID("last").replaceChildren(circle, label);
    paint(circle, user);
  }

  // ---- The text: what the server has, what is on its way there, and what stands in the page ----

  let agreed = "";     // as the server said last
  let sent = null;     // an edit that hasn't come back; there is one at most
  let canWrite = false;
  let composing = false;
  let held = [];       // edits of others, while an input method composes

  // change is the one span in which two texts differ.
  function change(from, to) {
    const shorter = Math.min(from.length, to.length);
    let start = 0, end = 0;
    while (start < shorter && from[start] === to[start]) start++;
    while (end < shorter - start && from[from.length - 1 - end] === to[to.length - 1 - end]) end++;
    // A character beyond the first plane is two units: never part them.
    if (start > 0 && /[\ud800-\udbff]/.test(from[start - 1])) start--;
    if (end > 0 && /[\udc00-\udfff]/.test(from[from.length - end])) end--;
    return { start, end: from.length - end, text: to.slice(start, to.length - end) };
  }

  const splice = (text, start, end, insert) => text.slice(0, start) + insert + text.slice(end);

  // merge carries over to theirs what mine changed since old. Where both changed the same place, both stay.
  function merge(old, mine, theirs) {
    if (mine === old || mine === theirs) return theirs;
    if (theirs === old) return mine;
    const m = change(old, mine), t = change(old, theirs);
    const shift = t.text.length - (t.end - t.start);
    if (m.end <= t.start) return splice(theirs, m.start, m.end, m.text);
    if (m.start >= t.end) return splice(theirs, m.start + shift, m.end + shift, m.text);
    const behind = t.start + t.text.length;
    return splice(theirs, behind, behind, m.text);
  }

  // show puts text into the page and leaves the caret where it was in it.
  function show(text) {
    if (area.value === text) return;
    const c = change(area.value, text), shift = c.text.length - (c.end - c.start);
    const move = (at) => (at <= c.start ? at : at >= c.end ? at + shift : Math.min(at, c.start + c.text.length));
    const start = move(area.selectionStart), end = move(area.selectionEnd), top = area.scrollTop;
    area.value = text;
    if (document.activeElement === area) area.setSelectionRange(start, end);
    area.scrollTop = top;
  }

  function receive(text) {
    if (composing) {
      held.push(text);
      return;
    }
    text = text.replace(/\r\n?/g, "\n"); // as the text area has it
    if (text === sent) {
      sent = null; // our own, come back
    } else {
      show(merge(agreed, area.value, text));
    }
    agreed = text;
    flush();
  }

  function flush() {
    if (!canWrite || sent !== null || composing || area.value === agreed || socket.readyState !== WebSocket.OPEN) return;
    sent = area.value;
    socket.send(JSON.stringify({ type: "edit", text: sent }));
  }

  area.addEventListener("input", flush);
  area.addEventListener("compositionstart", () => { composing = true; });
  area.addEventListener("compositionend", () => {
    composing = false;
    held.splice(0).forEach(receive);
    flush();
  });

  // ---- The connection ----

  let socket = null, failures = 0, timer = 0, welcomed = false;

  function setState(state, text) {
    const element = byID("state");
    if (element.textContent === text) return; // said once is enough for who listens
    element.dataset.state = state;
    element.textContent = text;
  }

  function lock(hint) {
    canWrite = false;
    area.readOnly = true;
    byID("hint").textContent = hint;
  }

  // notice says what is wrong; its link leads to href, or loads the page again where there is none.
  function notice(text, linkText, href) {
    const link = byID("notice-link");
    byID("notice-text").textContent = text;
    link.textContent = linkText;
    link.href = href || location.href;
    link.onclick = href ? null : (event) => {
      event.preventDefault();
      location.reload();
    };
    byID("notice").hidden = false;
  }

  function connect() {
    clearTimeout(timer);
    socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}${base}/api/room/${encodeURIComponent(name)}?people=1`);
    socket.onmessage = (event) => receiveMessage(JSON.parse(event.data));
    socket.onclose = closed;
  }

  function receiveMessage(message) {
    switch (message.type) {
      case "welcome":
        welcome(message);
        break;
      case "edit":
        receive(message.text);
        showEditor(message.user);
        break;
      case "people":
        showPeople(message.users || []);
        break;
    }
  }

  function welcome(message) {
    const held = (message.permissions && message.permissions.contents) || [];
    const canRead = held.includes("read");
    failures = 0;
    welcomed = true;
    sent = null; // what was on its way is in the server's text, or is sent again
    showMe(message.user);
    setState("open", "Connected");
    canWrite = canRead && held.includes("write");
    area.readOnly = !canWrite;
    byID("read-only").hidden = canWrite;
    byID("hint").textContent = canWrite ? "" : canRead ? "You can read this note, and see others edit it." : "You may not read this note.";
    if (canRead) receive(message.text);
  }

  function closed(event) {
    if (event.code === 1008) {
      ended();
      return;
    }
    if (event.code === 1009) {
      lock("");
      setState("ended", "Disconnected");
      notice("The note has become too long to be saved. Copy what you want to keep.", "Load the page again");
      return;
    }
    // Anything else is the network or the server: what is typed meanwhile is sent when it is back.
    setState("waiting", "Reconnecting…");
    const wait = Math.min(30000, 500 * 2 ** failures++) * (0.75 + Math.random() / 2);
    timer = setTimeout(connect, wait);
  }
  addEventListener("online", () => {
    if (socket.readyState === WebSocket.CLOSED && byID("state").dataset.state === "waiting") connect();
  });

  // ended: the server said no, or no longer. The session has ended, or it may do something else now than when the socket
  // was opened: then a new socket says what. It is opened once, and for the same person only: what this one has typed, and
  // the server hasn't got, must not be sent under another name.
  async function ended() {
    lock("");
    const again = welcomed;
    welcomed = false;
    let user = null;
    try {
      const answer = await fetch(`${base}/api/me`);
      if (answer.ok) user = (await answer.json()).identity;
    } catch { /* out of reach: the link says so soon enough */ }
    if (user && again && user.username === me.username) {
      connect();
      return;
    }
    byID("read-only").hidden = true;
    byID("people").replaceChildren();
    if (user) {
      setState("ended", "Not permitted");
      notice("You are not permitted to open this note, or what you may do has changed.", "Try again");
    } else {
      setState("ended", "Signed out");
      notice("Your session has ended.", login ? "Sign in again" : "Load the page again", login);
    }
  }

  // ---- The profile ----

  const profile = byID("profile");

  async function loadProfile() {
    const answer = await fetch(`${base}/api/me`);
    if (!answer.ok) return;
    const { identity, permissions } = await answer.json();
    if (!me) showMe(identity);
    const mine = permissions.updatable_fields || [];
    profile.hidden = !["display_name", "initials", "color"].every((field) => mine.includes(field));
  }

  byID("me").addEventListener("toggle", () => {
    if (!me || !byID("me").open) return;
    byID("new-name").value = me.display_name;
    byID("new-color").value = /^#[0-9a-f]{6}$/i.test(me.color || "") ? me.color : "#5b6478";
    byID("profile-result").textContent = "";
  });

  profile.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wanted = byID("new-name").value.trim();
    if (!wanted) return;
    const update = { display_name: wanted, initials: initialsOf(wanted), color: byID("new-color").value };
    let text = "Saved.";
    try {
      const answer = await fetch(`${base}/api/me`, {
        method: "PATCH",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(update),
      });
      const body = await answer.json();
      if (answer.ok) showMe(body.identity);
      else text = body.error;
    } catch {
      text = "The server can't be reached. Try again.";
    }
    byID("profile-result").textContent = text;
  });

  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !byID("me").open) return;
    byID("me").open = false;
    byID("me").querySelector("summary").focus();
  });
  addEventListener("pointerdown", (event) => {
    if (!byID("me").contains(event.target)) byID("me").open = false;
  });

  loadProfile().catch(() => {});
  connect();
})();
