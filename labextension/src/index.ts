import { insert } from "./insert";
import { reconnect } from "./reconnect";
import { sidebar } from "./sidebar";

export default [sidebar, reconnect, insert];
