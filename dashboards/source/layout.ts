import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import { type GridPos, type Panel, RowBuilder } from '@grafana/grafana-foundation-sdk/dashboard';

/** Columns of Grafana's grid. */
const gridWidth = 24;

interface PlaceablePanel extends Builder<Panel> {
  id(id: number): this;
  gridPos(position: GridPos): this;
}

/** Panels below one heading, from left to right and then down. */
export interface Section {
  readonly title: string;
  /** Of each panel, in grid units of about 30 pixels. */
  readonly height: number;
  readonly perRow: number;
  readonly panels: readonly PlaceablePanel[];
}

export interface Placed {
  readonly row: RowBuilder;
  readonly panels: readonly PlaceablePanel[];
}

/** Gives every heading and panel its place and number. */
export function place(sections: readonly Section[]): Placed[] {
  let y = 0;
  let id = 0;
  return sections.map(({ title, height, perRow, panels }) => {
    const row = new RowBuilder(title).id(++id).gridPos({ x: 0, y, w: gridWidth, h: 1 });
    y++;
    const w = Math.floor(gridWidth / perRow);
    const placed = panels.map((panel, index) => {
      const column = index % perRow;
      const line = Math.floor(index / perRow);
      return panel.id(++id).gridPos({ x: column * w, y: y + line * height, w, h: height });
    });
    y += Math.ceil(panels.length / perRow) * height;
    return { row, panels: placed };
  });
}
