import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  FieldColorBuilder,
  FieldColorModeId,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** The texts of a panel. */
export interface PanelText {
  readonly title: string;
  /** What it shows, and how to read it; docs/dashboards.md has it too. */
  readonly description: string;
  /** One of Grafana's names for units. */
  readonly unit: string;
  /** Shown when there are no data. */
  readonly empty: string;
}

/** The part of a panel's builder that is the same for all kinds. */
interface AnyPanel {
  title(title: string): this;
  description(description: string): this;
  unit(unit: string): this;
  noValue(text: string): this;
  datasource(source: { type: string; uid: string }): this;
  targets(targets: Builder<Dataquery>[]): this;
}

/** All queries use the data source that is chosen above the panels. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's variable, not JavaScript's
export const dataSource = { type: 'prometheus', uid: '${datasource}' };

/** Gives a panel its text, and its queries the letters by which transformations name them. */
export function described<Panel extends AnyPanel>(
  panel: Panel,
  { title, description, unit, empty }: PanelText,
  queries: readonly DataqueryBuilder[],
): Panel {
  return panel
    .title(title)
    .description(description)
    .unit(unit)
    .noValue(empty)
    .datasource(dataSource)
    .targets(queries.map((query, index) => query.refId(letter(index))));
}

/** `A`, `B`, … */
export function letter(index: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + index);
}

/** Green, then another colour from each value upwards. */
export function limits(...steps: readonly (readonly [value: number, color: string])[]) {
  const first: Threshold = { value: null, color: 'green' };
  return new ThresholdsConfigBuilder()
    .mode(ThresholdsMode.Absolute)
    .steps([first, ...steps.map(([value, color]) => ({ value, color }))]);
}

/** One number, or several side by side. */
export function stat(text: PanelText, ...queries: readonly DataqueryBuilder[]): StatBuilder {
  return described(new StatBuilder(), text, queries)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false))
    .colorMode(BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.None)
    .textMode(queries.length > 1 ? BigValueTextMode.ValueAndName : BigValueTextMode.Value)
    .thresholds(limits());
}

/** Lines over time. */
export function lines(text: PanelText, ...queries: readonly DataqueryBuilder[]): TimeSeriesBuilder {
  return described(new TimeSeriesBuilder(), text, queries)
    .lineWidth(1)
    .fillOpacity(0)
    .showPoints(VisibilityMode.Auto)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassic))
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs([]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
}

/** Stacked areas over time. */
export function areas(text: PanelText, ...queries: readonly DataqueryBuilder[]): TimeSeriesBuilder {
  return lines(text, ...queries)
    .fillOpacity(30)
    .min(0)
    .stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
}

export function table(text: PanelText, ...queries: readonly DataqueryBuilder[]): TableBuilder {
  return described(new TableBuilder(), text, queries).showHeader(true);
}
