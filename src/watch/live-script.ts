/**
 * The page's side of the server-sent events: the bar, the curves, and sections that take the place of their older
 * selves. Needs `lorikeetCharts` before it and `<script type="application/json" id="live-start">`.
 */
export const liveScript = `
(() => {
  const start = JSON.parse(document.getElementById('live-start').textContent);
  const main = document.querySelector('main');
  let last = start.position;
  let source;
  let charts;
  let heard = Date.now();
  let state = { status: start.status, totalSteps: null, progress: null, writtenAt: null, trouble: null };
  let connection = 'connecting';
  let wait = 500;

  const make = (name, parent, id) => {
    const element = document.createElement(name);
    if (id) element.id = id;
    parent.append(element);
    return element;
  };
  const bar = make('div', document.body, 'live');
  document.body.prepend(bar);
  const line = make('div', bar);
  const word = make('b', line);
  word.setAttribute('role', 'status');
  const told = make('span', line);
  const progress = make('progress', bar);

  const isOver = () => !['running', 'unknown'].includes(state.status);
  const count = (value) => value.toLocaleString('en-US');
  const duration = (seconds) => {
    const s = Math.max(0, Math.round(seconds));
    if (s < 60) return s + ' s';
    if (s < 3600) return Math.floor(s / 60) + ' min ' + String(s % 60).padStart(2, '0') + ' s';
    const minutes = Math.round(s / 60);
    return Math.floor(minutes / 60) + ' h ' + String(minutes % 60).padStart(2, '0') + ' min';
  };

  const show = () => {
    const shown = isOver() ? state.status : connection === 'open' ? 'live' : connection === 'lost' ? 'reconnecting' : 'connecting';
    bar.dataset.state = shown;
    if (word.textContent !== shown) word.textContent = shown;
    const { progress: now, totalSteps } = state;
    const quiet = state.writtenAt == null ? 0 : (Date.now() - state.writtenAt) / 1000;
    const parts = [];
    if (!now && !isOver()) parts.push('no step yet');
    if (now) parts.push('step ' + count(now.step) + (totalSteps ? ' of ' + count(totalSteps) : ''));
    if (now && now.loss != null) parts.push('loss ' + now.loss.toFixed(4));
    if (now && !isOver() && now.secondsLeft != null) parts.push('about ' + duration(now.secondsLeft) + ' left');
    if (now && !isOver() && quiet > 60) parts.push('nothing new for ' + duration(quiet));
    if (state.trouble) parts.push(state.trouble);
    told.textContent = parts.join(' · ');
    progress.hidden = !now || !totalSteps;
    if (now && totalSteps) {
      progress.max = totalSteps;
      progress.value = now.step;
    }
    document.title = (now && totalSteps && !isOver() ? Math.floor((100 * now.step) / totalSteps) + ' % · ' : '') + start.title;
    showCurves();
  };

  /** While the run goes on its live curves stand where the report's own will stand. */
  const showCurves = () => {
    const ours = document.getElementById('live-curves');
    const theirs = document.getElementById(start.curves);
    if (isOver()) {
      if (theirs) theirs.hidden = false;
      if (ours) ours.remove();
      charts = undefined;
      return;
    }
    if (theirs) theirs.hidden = true;
    if (ours) {
      if (theirs && ours.nextElementSibling !== theirs) theirs.before(ours);
      return;
    }
    const section = document.createElement('section');
    section.id = 'live-curves';
    make('h2', section).textContent = 'Curves';
    if (theirs) theirs.before(section);
    else main.append(section);
    charts = lorikeetCharts(section);
  };

  const summaries = (root) => {
    const seen = {};
    return [...root.querySelectorAll('details')].map((element) => {
      const text = element.querySelector('summary')?.textContent ?? '';
      seen[text] = (seen[text] ?? 0) + 1;
      return { key: element.id || text + '#' + seen[text], element };
    });
  };
  const focusables = (root) => [...root.querySelectorAll('a, button, input, select, summary, [tabindex]')];

  /** What a person did to a section, to be done to the one that takes its place. */
  const keep = (old, fresh) => {
    const open = new Map(summaries(old).map(({ key, element }) => [key, element.open]));
    for (const { key, element } of summaries(fresh)) if (open.has(key)) element.open = open.get(key);
    const at = focusables(old).indexOf(document.activeElement);
    const scrolled = [...old.querySelectorAll('.scroll')].map((element) => element.scrollLeft);
    return () => {
      [...fresh.querySelectorAll('.scroll')].forEach((element, i) => { element.scrollLeft = scrolled[i] ?? 0; });
      if (at !== -1) focusables(fresh)[at]?.focus({ preventScroll: true });
    };
  };

  const sectionOf = (html) => {
    const template = document.createElement('template');
    template.innerHTML = html;
    return template.content.firstElementChild;
  };

  const replace = ({ order, changed }) => {
    const sections = () => [...main.querySelectorAll(':scope > section[id]')];
    const anchor = sections().find((section) => section.getBoundingClientRect().bottom > 0);
    const anchorTop = anchor?.getBoundingClientRect().top;
    for (const { id, html } of changed) {
      const fresh = sectionOf(html);
      const old = document.getElementById(id);
      if (!fresh) old?.remove();
      else if (!old) main.append(fresh);
      else {
        const restore = keep(old, fresh);
        old.replaceWith(fresh);
        restore();
      }
    }
    for (const section of sections()) if (section.id !== 'live-curves' && !order.includes(section.id)) section.remove();
    order.forEach((id, i) => {
      const section = document.getElementById(id);
      const before = order.slice(0, i).map((name) => document.getElementById(name)).findLast(Boolean);
      if (section && before && before.compareDocumentPosition(section) & Node.DOCUMENT_POSITION_PRECEDING) before.after(section);
    });
    showCurves();
    const now = anchor && document.getElementById(anchor.id);
    if (now) scrollBy({ top: now.getBoundingClientRect().top - anchorTop, behavior: 'instant' });
  };

  const handlers = {
    points(data) {
      charts?.add(data);
    },
    sections: replace,
    state(data) {
      state = data;
    },
    restart() {
      source.close();
      location.reload();
    },
    end() {
      source.close();
    },
    beat() {},
  };

  const connect = () => {
    source = new EventSource('/events?from=' + encodeURIComponent(last));
    source.onopen = () => {
      connection = 'open';
      wait = 500;
      heard = Date.now();
      show();
    };
    source.onerror = () => {
      if (isOver()) return source.close();
      connection = 'lost';
      show();
      // The browser tries again by itself unless it was answered with an error.
      if (source.readyState === EventSource.CLOSED) reconnectLater();
    };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        heard = Date.now();
        if (event.lastEventId) last = event.lastEventId;
        handle(JSON.parse(event.data));
        show();
      });
    }
  };
  const reconnectLater = () => {
    wait = Math.min(10_000, wait * 2);
    setTimeout(connect, wait);
  };
  // A machine that slept, or a network that went, may leave a connection that looks whole and is not.
  setInterval(() => {
    if (isOver()) return;
    if (source.readyState !== EventSource.CLOSED && Date.now() - heard > start.silence) {
      source.close();
      connection = 'lost';
      connect();
    }
    show();
  }, 5000);
  addEventListener('pagehide', () => source.close());
  addEventListener('pageshow', (event) => {
    if (event.persisted && !isOver()) connect();
  });

  show();
  connect();
})();
`;
