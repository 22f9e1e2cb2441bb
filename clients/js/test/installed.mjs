// A project that has installed the packed package, as its users do.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL("..", import.meta.url));

/** Run a command in a folder and give what it prints; throws with all that it said. */
export function run(command, args, { cwd = here, env = process.env } = {}) {
  try {
    return execFileSync(command, args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (failed) {
    throw new Error(`${command} ${args.join(" ")}\n${failed.stdout}\n${failed.stderr}`);
  }
}

/** Make the project; its peers are those of this checkout. */
export function install() {
  const folder = mkdtempSync(join(tmpdir(), "imgserve-"));
  const modules = join(folder, "node_modules");
  mkdirSync(modules);
  for (const name of ["react", "react-dom", "next", "@types"]) {
    symlinkSync(join(here, "node_modules", name), join(modules, name));
  }
  const packed = JSON.parse(run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder]));
  run("tar", ["xzf", join(folder, packed[0].filename), "-C", modules]);
  run("mv", [join(modules, "package"), join(modules, "imgserve")]);
  writeFileSync(join(folder, "package.json"), '{"type": "module"}');
  return {
    folder,
    write(name, text) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    },
    node: (name, env = {}) => run("node", [name], { cwd: folder, env: { ...process.env, ...env } }),
    /** Check types as strictly as a new project does. */
    compile(resolution, files) {
      const compilerOptions = {
        noEmit: true,
        strict: true,
        target: "es2022",
        jsx: "react-jsx",
        skipLibCheck: true,
        types: [],
        module: resolution === "bundler" ? "esnext" : "nodenext",
        moduleResolution: resolution,
        paths: { "@/*": ["./*"] },
      };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
      run(join(here, "node_modules", ".bin", "tsc"), [], { cwd: folder });
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
