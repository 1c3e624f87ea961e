#!/usr/bin/env node
// What is started: V8 is told how to use memory before there is anything for it to compile, then the program is loaded.
import { startLean } from "./programs/lean-start.ts";
import { systemClock } from "./support/clock.ts";

startLean(systemClock);
void import("./main.ts");
