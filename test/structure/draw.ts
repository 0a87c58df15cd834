import { readFileSync, writeFileSync } from 'node:fs';
import { withDrawings } from './drawing.js';
import { importsOfSource } from './imports.js';

// `npm run architecture` starts it in the project's folder.
const page = 'docs/architecture.md';
writeFileSync(page, withDrawings(readFileSync(page, 'utf8'), importsOfSource()));
