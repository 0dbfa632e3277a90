// SPDX-License-Identifier: MIT OR Apache-2.0

type Child = Node | string | null | undefined | false;
type Props<E extends HTMLElement> = Partial<Omit<E, "style" | "dataset" | "children">> & {
  class?: string;
  data?: Record<string, string>;
  attrs?: Record<string, string>;
};

/** Makes an element. `attrs` is for what has no property, such as `aria-*`. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props<HTMLElementTagNameMap[K]> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const { class: className, data, attrs, ...rest } = props;
  const element = document.createElement(tag);
  Object.assign(element, rest);
  if (className) element.className = className;
  if (data) Object.assign(element.dataset, data);
  for (const [name, value] of Object.entries(attrs ?? {})) element.setAttribute(name, value);
  element.append(...children.filter((c): c is Node | string => c !== null && c !== undefined && c !== false));
  return element;
}

/** Sets text only when it differs, so that nothing is laid out again for nothing. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function show(element: HTMLElement, visible: boolean): void {
  if (element.hidden === visible) element.hidden = !visible;
}

const SVG = "http://www.w3.org/2000/svg";

/** Makes an SVG element. */
export function svg(tag: string, attrs: Record<string, string | number>, ...children: Node[]): SVGElement {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attrs)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** Keeps one element per key, in the order of the items; makes, updates and removes as needed. */
export class Keyed<T> {
  private readonly made = new Map<string, HTMLElement>();

  constructor(
    private readonly parent: HTMLElement,
    private readonly key: (item: T) => string,
    private readonly make: (item: T) => HTMLElement,
    private readonly update: (element: HTMLElement, item: T) => void,
  ) {}

  render(items: readonly T[]): void {
    const wanted = new Set(items.map(this.key));
    for (const [key, element] of this.made) {
      if (wanted.has(key)) continue;
      element.remove();
      this.made.delete(key);
    }
    let next: ChildNode | null = this.parent.firstChild;
    for (const item of items) {
      const key = this.key(item);
      let element = this.made.get(key);
      if (!element) {
        element = this.make(item);
        this.made.set(key, element);
      }
      this.update(element, item);
      if (element === next) next = next.nextSibling;
      else this.parent.insertBefore(element, next);
    }
  }
}
