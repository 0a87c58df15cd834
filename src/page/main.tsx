import { render } from 'preact';
import { App } from './app.js';
import './style.css';
import { takeTokenFromAddress } from './token.js';

takeTokenFromAddress();
const place = document.getElementById('page')!;
place.replaceChildren();
render(<App />, place);
