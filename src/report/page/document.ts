import { createHash } from 'node:crypto';
import { version } from '../../run/version.js';
import { type Markup, markup, Markup as Raw } from '../drawing/markup.js';
import type { Section } from './parts.js';
import { style } from './style.js';

/**
 * The page: one file that loads nothing. Its policy allows its own style sheet and the pictures in it, and no script.
 */
export function htmlDocument(title: string, introduction: string, sections: readonly Section[]): string {
  const digest = createHash('sha256').update(style).digest('base64');
  const policy = `default-src 'none'; img-src data:; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'`;
  const links = sections.map(({ id, title: text }) => markup`<li><a href="#${id}">${text}</a></li>`);
  const parts = sections.map(
    ({ id, title: text, content }): Markup => markup`
<section id="${id}"><h2>${text}</h2>
${content}
</section>`,
  );
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="${`fcaenet ${version}`}">
<title>${title}</title>
<style>${new Raw(style)}</style>
</head>
<body>
<header><h1>${title}</h1><p>${introduction}</p><nav aria-label="Parts of this report"><ul>${links}</ul></nav></header>
<main>${parts}</main>
<footer><p>${`Made by fcaenet ${version}.`}</p></footer>
</body>
</html>
`;
  return page.text;
}
