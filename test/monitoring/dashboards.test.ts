import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { dashboards, dashboardText } from '../../dashboards/source/dashboards.js';
import { dashboardPage } from '../../dashboards/source/page.js';
import { type Panel, readDashboards } from './sources.js';

const committed = readDashboards();

test('the dashboards are those that npm run dashboards writes', () => {
  const written = Object.entries(dashboards()).map(([name, dashboard]) => [name, dashboardText(dashboard)]);
  const files = committed.map(([name]) => [name, readFileSync(`dashboards/${name}`, 'utf8')]);
  expect(files.sort()).toEqual(written.sort());
});

test('docs/dashboards.md says what each panel answers', () => {
  expect(readFileSync('docs/dashboards.md', 'utf8')).toBe(dashboardPage(dashboards()));
});

test('addresses and titles are those of one dashboard each', () => {
  for (const field of ['uid', 'title'] as const) {
    const values = committed.map(([, dashboard]) => dashboard[field]);
    expect(new Set(values).size).toBe(values.length);
  }
});

describe.each(committed)('%s', (_, dashboard) => {
  const { panels } = dashboard;
  const shown = panels.filter(({ type }) => type !== 'row');

  test('every panel has a title, a description, a unit and words for when it is empty', () => {
    const incomplete = shown.filter(
      ({ title, description, fieldConfig }) =>
        !title || !description?.endsWith('.') || !fieldConfig?.defaults.unit || !fieldConfig.defaults.noValue,
    );
    expect(incomplete.map(({ title }) => title)).toEqual([]);
    expect(panels.filter(({ title }) => !title)).toEqual([]);
  });

  test('titles and numbers are unique', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(shown.map(({ title }) => title)).size).toBe(shown.length);
  });

  test('panels lie inside the grid, none on another, each below its heading', () => {
    const cells = new Map<string, string>();
    let row: Panel | null = null;
    for (const panel of panels) {
      const { x, y, w, h } = panel.gridPos;
      expect([x >= 0, x + w <= 24, w > 0, h > 0], panel.title).toEqual([true, true, true, true]);
      if (panel.type === 'row') row = panel;
      else expect(y, panel.title).toBeGreaterThan(row!.gridPos.y);
      for (let column = x; column < x + w; column++) {
        for (let line = y; line < y + h; line++) {
          const cell = `${column}/${line}`;
          expect(cells.get(cell), `${panel.title} at ${cell}`).toBeUndefined();
          cells.set(cell, panel.title!);
        }
      }
    }
  });

  test('no line of the grid is left empty between panels', () => {
    const used = new Set(
      panels.flatMap(({ gridPos: { y, h } }) => Array.from({ length: h }, (_, line) => y + line)),
    );
    expect(Math.max(...used) + 1).toBe(used.size);
  });

  test('every panel asks something, and only of what is chosen above the panels', () => {
    expect(shown.filter(({ targets }) => !targets?.length)).toEqual([]);
    const queries = shown.flatMap(({ targets }) => targets!.map(({ expr }) => expr));
    expect(queries.filter((expr) => !expr.includes('$namespace') || !expr.includes('$run'))).toEqual([]);
  });

  test('queries of a panel have letters of their own', () => {
    const letters = shown.map(({ targets }) => targets!.map(({ refId }) => refId).join(''));
    expect(letters.filter((text) => !'ABCDEFGHIJ'.startsWith(text) || text === '')).toEqual([]);
  });

  test('it lets choose data source, namespace and run, and marks what happened', () => {
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual(['datasource', 'namespace', 'run']);
    expect(dashboard.annotations.list.length).toBeGreaterThan(0);
  });
});

test.each(['dashboards', 'datasources'])(
  'provisioning/%s.yaml is of the version that Grafana reads',
  (name) => {
    expect(parse(readFileSync(`dashboards/provisioning/${name}.yaml`, 'utf8'))).toMatchObject({
      apiVersion: 1,
    });
  },
);
