import css from "../lib/style/index.css";
import { insert } from "./insert";
import { reconnect } from "./reconnect";
import { sidebar } from "./sidebar";
import { snapshots } from "./snapshots";
import { addStyle } from "./style";
import { tabs } from "./tabs";

addStyle(css);

export default [sidebar, reconnect, insert, snapshots, tabs];
