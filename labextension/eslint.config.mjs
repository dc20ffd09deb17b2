import tseslint from "typescript-eslint";

export default tseslint.config(
  {
    ignores: ["lib/", "node_modules/", "widgets/types.ts", "widgets/*_types.ts"],
  },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
  },
  {
    files: ["widgets/*.ts"],
    ignores: ["widgets/gone.ts"],
    rules: {
      "no-restricted-syntax": [
        "error",
        {
          selector: "CallExpression[callee.property.name='send']:matches([callee.object.name='model'], [callee.object.property.name='model'])",
          message: "Call send(model, message) of gone.ts: model.send throws where the kernel was shut down.",
        },
      ],
    },
  },
);
