import type { AnyModel, InitializeProps, RenderProps } from "@anywidget/types";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { loader } from "../widgets/loader";

const events: string[] = [];
const half = {
  initialize: () => {
    events.push("initialized");
    return () => void events.push("forgotten");
  },
  render: () => {
    events.push("rendered");
    return () => void events.push("removed");
  },
};

beforeEach(() => {
  events.length = 0;
});

/** As ipywidgets' model. */
class WidgetModel {
  take: (message: object) => Promise<void> = (message) => this._handle_comm_msg(message);
  readonly comm = {
    on_msg: (take: (message: object) => Promise<void>) => (this.take = take),
    send: (data: object) => events.push(JSON.stringify(data)),
  };

  _handle_comm_msg({ content }: { content?: { data: { method: string } } }): Promise<void> {
    if (content?.data.method === "update") events.push("updated");
    return Promise.resolve();
  }
}

/** As anywidget's, which has waited for `ready`, in vain or not. */
class Model extends WidgetModel {
  ready = Promise.resolve();

  override async _handle_comm_msg(message: object): Promise<void> {
    await this.ready;
    await super._handle_comm_msg(message);
  }
}

/** A widget of this bundle as anywidget calls it. */
function widgetOf(text: string, load: () => Promise<{ default: typeof half }>, real?: WidgetModel) {
  const traits: Record<string, string> = { _bundle: text, _id: "abc" };
  const manager = { get_model: (id: string) => (id === "abc" && real ? Promise.resolve(real) : Promise.reject(new Error(id))) };
  const model = { get: (name: string) => traits[name], widget_manager: manager } as unknown as AnyModel;
  const widget = loader(load);
  const given = { model } as InitializeProps & RenderProps;
  return { initialize: async () => widget.initialize?.(given), render: async () => widget.render?.(given) };
}

describe("the loader of a widget's bundle", () => {
  it("initializes and renders by the bundle, and gives back what cleans up", async () => {
    const widget = widgetOf("plain", () => Promise.resolve({ default: half }));
    const forget = await widget.initialize();
    const remove = await widget.render();
    await remove?.();
    await (forget as () => Promise<void>)();
    expect(events).toEqual(["initialized", "rendered", "removed", "forgotten"]);
  });

  it("reads a bundle once for all widgets of a page", async () => {
    const load = vi.fn(() => Promise.resolve({ default: half }));
    for (const widget of [widgetOf("shared", load), widgetOf("shared", load)]) await widget.initialize();
    expect([load.mock.calls.length, events]).toEqual([1, ["initialized", "initialized"]]);
  });

  it("fails as the bundle fails", async () => {
    const widget = widgetOf("broken", () => Promise.reject(new SyntaxError("no module")));
    await expect(widget.initialize()).rejects.toThrow("no module");
    await expect(widget.render()).rejects.toThrow("no module");
  });

  it("reads a bundle again for the next widget after it failed", async () => {
    const load = vi.fn(() => Promise.resolve({ default: half })).mockRejectedValueOnce(new TypeError("no network"));
    await expect(widgetOf("flaky", load).initialize()).rejects.toThrow("no network");
    await widgetOf("flaky", load).initialize();
    expect(events).toEqual(["initialized"]);
  });

  it("makes a model hear that anywidget has given up, and asks for what it missed", async () => {
    const real = new Model();
    real.ready = Promise.reject(new Error("Failed to initialize model."));
    real.ready.catch(() => undefined);
    await widgetOf("late", () => Promise.resolve({ default: half }), real).initialize();
    await vi.waitFor(() => {
      expect(events).toEqual(["initialized", '{"method":"request_state"}']);
    });
    await real.take({ content: { data: { method: "update" } } });
    expect(events.at(-1)).toBe("updated");
  });

  it("leaves a model alone that hears", async () => {
    const real = new Model();
    const before = real.take;
    await widgetOf("heard", () => Promise.resolve({ default: half }), real).initialize();
    await new Promise((done) => setTimeout(done, 10));
    expect([events, real.take === before]).toEqual([["initialized"], true]);
  });
});
