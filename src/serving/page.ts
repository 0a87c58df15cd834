/** The page to drop a picture on: three files without anything from elsewhere. */

export const pageHtml = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Nearest pictures</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="page.css">
<script src="page.js" defer></script>
</head>
<body>
<main>
<h1>Nearest pictures</h1>
<form id="form">
<label id="drop" for="file">
<img id="chosen" alt="" hidden>
<span>Drop a picture here, or choose one</span>
<input id="file" type="file" accept="image/jpeg,image/png,image/webp,image/gif,image/tiff,image/avif">
</label>
<div id="settings">
<label>Pictures <input id="top" type="number" min="1" max="100" value="12" required></label>
<label id="tokens" hidden>Token <input id="token" type="password" autocomplete="off"></label>
</div>
</form>
<p id="status" role="status"></p>
<ol id="found"></ol>
</main>
</body>
</html>
`;

export const pageCss = `:root {
  color-scheme: light dark;
  --ground: light-dark(#fafafa, #16181b);
  --panel: light-dark(#fff, #202327);
  --ink: light-dark(#1c1e21, #e8eaed);
  --faint: light-dark(#5f6368, #a5abb3);
  --line: light-dark(#d0d4d9, #3b4047);
  --accent: light-dark(#0b57d0, #8ab4f8);
  --wrong: light-dark(#b3261e, #f2b8b5);
}
* { box-sizing: border-box; }
body { background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; margin: 0; }
main { margin: 0 auto; max-width: 64rem; padding: 1rem; }
h1 { font-size: 1.25rem; margin: 0 0 .75rem; }
#drop { align-items: center; background: var(--panel); border: 2px dashed var(--line); border-radius: .5rem;
  cursor: pointer; display: flex; flex-direction: column; gap: .5rem; padding: 1.25rem; text-align: center; }
#drop:hover, #drop:focus-within, #drop.over { border-color: var(--accent); }
#chosen { border-radius: .25rem; max-height: 12rem; max-width: 100%; }
#file { max-width: 100%; }
#settings { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; margin-top: .75rem; }
#top { width: 5rem; }
input { color: inherit; font: inherit; }
#settings input { background: var(--panel); border: 1px solid var(--line); border-radius: .25rem; padding: .2rem .4rem; }
#status { color: var(--faint); min-height: 1.5rem; overflow-wrap: anywhere; }
#status.wrong { color: var(--wrong); }
#found { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); list-style: none;
  margin: 0; padding: 0; }
#found li { background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; font-size: .85rem;
  overflow: hidden; }
#found img, #found .none { aspect-ratio: 1; background: var(--ground); display: block; object-fit: contain; width: 100%; }
#found p { margin: .4rem .6rem; overflow-wrap: anywhere; }
#found .name { font-weight: 600; }
#found .path { color: var(--faint); font-size: .75rem; }
@media (max-width: 30rem) { #found { grid-template-columns: 1fr 1fr; } }
`;

export const pageScript = `'use strict';
const byId = (id) => document.getElementById(id);
const [drop, file, top_, token, status, found, chosen] =
  ['drop', 'file', 'top', 'token', 'status', 'found', 'chosen'].map(byId);
let last = null;
let asked = 0;

const headers = () => (token.value ? { authorization: 'Bearer ' + token.value } : {});
const say = (text, wrong = false) => {
  status.textContent = text;
  status.className = wrong ? 'wrong' : '';
};
const element = (name, className, text) => {
  const made = document.createElement(name);
  made.className = className;
  // A long name breaks behind its signs first.
  for (const part of text.split(/(?<=[_/])/)) made.append(part, document.createElement('wbr'));
  return made;
};

async function search(picture) {
  const turn = ++asked;
  last = picture;
  if (chosen.src) URL.revokeObjectURL(chosen.src);
  chosen.src = URL.createObjectURL(picture);
  chosen.hidden = false;
  if (!top_.reportValidity()) return;
  say('Searching…');
  try {
    const response = await fetch('v1/search?top=' + top_.value, {
      method: 'POST',
      body: picture,
      headers: { 'content-type': 'application/octet-stream', ...headers() },
    });
    const answer = await response.json();
    if (turn !== asked) return;
    if (response.status === 401) {
      byId('tokens').hidden = false;
      token.focus();
    }
    if (!response.ok) throw new Error(answer.message);
    say('Nearest pictures: ' + answer.nearest.length + '. Code ' + answer.code + ', ' + answer.bits + ' bits.');
    found.replaceChildren(...answer.nearest.map(item));
  } catch (error) {
    if (turn !== asked) return;
    found.replaceChildren();
    say(error instanceof TypeError ? 'The server does not answer.' : 'Refused: ' + error.message + '.', true);
  }
}

function item({ row, distance, path, class: className, thumbnail }) {
  const made = document.createElement('li');
  const image = thumbnail === null ? element('div', 'none', '') : document.createElement('img');
  if (thumbnail !== null) {
    image.alt = '';
    show(image, thumbnail);
  }
  const name = className === null ? [] : [element('p', 'name', className)];
  made.append(
    image,
    ...name,
    element('p', 'distance', distance + (distance === 1 ? ' bit differs' : ' bits differ')),
    element('p', 'path', path + ' (row ' + row + ')'),
  );
  return made;
}

async function show(image, thumbnail) {
  const response = await fetch(thumbnail.slice(1), { headers: headers() });
  if (!response.ok) return;
  const url = URL.createObjectURL(await response.blob());
  image.onload = () => URL.revokeObjectURL(url);
  image.src = url;
}

file.addEventListener('change', () => file.files[0] && search(file.files[0]));
byId('form').addEventListener('submit', (event) => event.preventDefault());
for (const input of [top_, token]) input.addEventListener('change', () => last && search(last));
for (const type of ['dragover', 'dragleave', 'drop']) {
  document.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.toggle('over', type === 'dragover');
    if (type !== 'drop') return;
    if (event.dataTransfer.files.length === 0) {
      say('What was dropped is no file. Drop a picture from a folder, or choose one.', true);
      return;
    }
    file.files = event.dataTransfer.files;
    search(file.files[0]);
  });
}
`;
