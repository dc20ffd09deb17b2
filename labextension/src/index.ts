import { insert } from "./insert";
import { reconnect } from "./reconnect";
import { sidebar } from "./sidebar";
import { tabs } from "./tabs";

export default [sidebar, reconnect, insert, tabs];
