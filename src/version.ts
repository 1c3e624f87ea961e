// The version of package.json, put in by the build.
declare const TSVDAGENT_VERSION: string;

export const VERSION: string = TSVDAGENT_VERSION;
