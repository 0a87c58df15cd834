import type { ComponentChildren } from 'preact';

interface ScrollProps {
  readonly label: string;
  readonly children: ComponentChildren;
}

/** A place for a table that may be wider than the page. It scrolls, so the keyboard must reach it. */
export function Scroll({ label, children }: ScrollProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolled area without a control.
    <section class="scroll" tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
