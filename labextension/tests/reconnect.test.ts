import { nullTranslator } from "@jupyterlab/translation";
import { beforeEach, expect, it, vi } from "vitest";
import { reconnect } from "../src/reconnect";

interface Message {
  header: { msg_type: string };
  content: Record<string, unknown>;
}

function message(msg_type: string, text: string, display_id?: string): Message {
  return { header: { msg_type }, content: { data: text, transient: { display_id } } };
}

/** A notebook of one cell whose outputs are these, as far as the extension looks at it. */
function opened(html: string, { outputs, trusted = true }: { outputs: number; trusted?: boolean }) {
  const node = document.createElement("div");
  node.className = "jp-NotebookPanel";
  node.innerHTML = html;
  document.body.replaceChildren(node);
  const future: { onIOPub?: (message: Message) => void } = {};
  const shown: Record<string, unknown>[] = [];
  const model = {
    add: (output: Record<string, unknown>) => outputs + shown.push(output),
    set: (index: number, output: Record<string, unknown>) => {
      shown[index - outputs] = output;
    },
  };
  const area = { node, widgets: Array.from({ length: outputs }), model, future: undefined as unknown };
  const cell = { model: { trusted }, outputArea: area };
  const requestExecute = vi.fn<(content: { code: string }) => typeof future>(() => future);
  const sessionContext = { session: { kernel: { requestExecute } }, startKernel: () => Promise.resolve(true) };
  const panel = { node, content: { widgets: [cell], activeCell: cell }, sessionContext };
  const shell = { widgets: () => [panel], currentWidget: panel };
  const app = { commands: { addCommand: () => undefined }, shell };
  void reconnect.activate(app as unknown as Parameters<typeof reconnect.activate>[0], nullTranslator);
  const press = async () => {
    const detail = { name: "smol", namespace: "default" };
    node.querySelector(".kubeai-card button")?.dispatchEvent(new CustomEvent("kubeai:reconnect", { bubbles: true, detail }));
    await vi.waitFor(() => {
      expect(requestExecute).toHaveBeenCalledOnce();
    });
  };
  return { area, cell, future, shown, press, requestExecute, card: node.querySelector<HTMLElement>(".kubeai-card") };
}

const CARD = "<section class='kubeai-card'><button></button></section>";
const IN_A_FORM = `<div class='widget-box kubeai-form'><input>${CARD}</div>`;

beforeEach(() => {
  // Each test's extension listens at a body of its own.
  document.documentElement.replaceChild(document.createElement("body"), document.body);
});

it.each([
  ["bare", CARD],
  ["with what it has opened", `<div class='widget-box kubeai-card-box'>${CARD}<p>Playground</p></div>`],
])("puts the live card in the place of a card that stands alone, %s", async (_how, html) => {
  const { area, future, press, requestExecute } = opened(html, { outputs: 2 });
  await press();
  expect(area.future).toBe(future);
  expect(requestExecute.mock.calls[0]?.[0].code).toContain("%kubeai_attach smol -n default");
});

it.each([
  ["a form around it", IN_A_FORM, 2],
  ["what the cell printed", CARD, 3],
])("leaves %s as it is, and shows the live card below", async (_what, html, outputs) => {
  const { area, card, future, shown, press } = opened(html, { outputs });
  await press();
  expect([area.future, card?.hidden]).toEqual([undefined, true]);
  future.onIOPub?.(message("status", "busy"));
  future.onIOPub?.(message("display_data", "card"));
  future.onIOPub?.(message("display_data", "snapshot", "one"));
  future.onIOPub?.(message("update_display_data", "newer", "one"));
  future.onIOPub?.(message("update_display_data", "of another cell", "two"));
  expect(shown.map(({ output_type, data }) => [output_type, data])).toEqual([
    ["display_data", "card"],
    ["display_data", "newer"],
  ]);
});

it("trusts nothing that stood in a cell that was not run here", async () => {
  const { area, cell, future, press } = opened(IN_A_FORM, { outputs: 2, trusted: false });
  await press();
  expect([area.future, cell.model.trusted]).toEqual([future, true]);
});
