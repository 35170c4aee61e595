"""Shows runs in a browser: networks side by side, results, and training as it goes on.

    python -m kdjax.serve_app                                # a small run on the embedded digits
    python -m kdjax.serve_app --workdir=runs/a --workdir=runs/b [--port=N]
    python -m kdjax.serve_app --workdir=runs/a --out=FOLDER  # a folder for any file host

`kdjax app` is the same. Networks run in the browser, by onnxruntime-web, which npm installs
(docs/app.md); nothing is asked of the network. Only browsers on this machine can connect.
"""

from pathlib import Path

from absl import flags

from kdjax.system import cli


def define() -> None:
    """The command's flags."""
    cli.define_path("workdir", None, "Folder of a run; give it again to compare.", several=True)
    flags.DEFINE_integer("port", None, "Default: the first free port from 8350 on.", 1, 65535)
    cli.define_path("out", None, "Writes the pages to this folder, and serves nothing.")
    flags.DEFINE_integer("images", 36, "Test images of each run.", 1, 500)
    flags.DEFINE_list("networks", [], "Names of networks. Default: all.")
    cli.define_path("data_dir", None, "Where data is, if not where the run found it.")
    cli.define_path("path", None, "Where your own images are, if not where the run found them.")


def main() -> None:
    """Writes the pages, unless they are there already, and serves them until Ctrl-C."""
    from kdjax.app import demo, server, site, web_runtime

    values = flags.FLAGS
    options = site.Options(**{name: getattr(values, name) for name in site.Options._fields})
    directories = [Path(name) for name in dict.fromkeys(values.workdir or [])]
    is_demo = not directories
    directories = directories or [demo.DIRECTORY]
    folder = Path(values.out or directories[0] / "app")
    web_runtime.find()
    refresh: site.Refresh = {}
    if values.out or not site.is_current(folder, directories, options):
        from kdjax.system import runtime

        runtime.prepare()
        if is_demo:
            demo.run()
        refresh = site.write(folder, directories, options, served=not values.out)
    if values.out:
        print(f"{folder}: put it on any file host, or: python -m http.server -d {folder}")
        return
    pages = server.start(folder, values.port, refresh)
    print(f"{pages.url} (Ctrl-C ends it)", flush=True)
    try:
        pages.serve_forever()
    except KeyboardInterrupt:
        print()
    finally:
        pages.server_close()


if __name__ == "__main__":
    cli.launch(main, define)
