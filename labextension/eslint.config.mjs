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
);
