// The daily tests try the same cases each time: whoever changes nothing breaks nothing. `npm run test:long` tries others.
import { configureGlobal } from "fast-check";

configureGlobal({ seed: 20_261_201 });
