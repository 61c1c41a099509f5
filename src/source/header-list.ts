export { headerList } from "../header-list.ts";
