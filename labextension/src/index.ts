import { insert } from "./insert";
import { reconnect } from "./reconnect";
import { sidebar } from "./sidebar";
import { snapshots } from "./snapshots";
import { tabs } from "./tabs";

export default [sidebar, reconnect, insert, snapshots, tabs];
