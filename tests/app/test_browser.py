"""The pages in headless Chromium: what is shown is what the evaluation computed."""

import io
import json
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from configs import dml
from kdjax.app import networks, site, web_runtime
from kdjax.data.files import images as image_files
from kdjax.data.types import Request
from kdjax.evaluation import attention_maps, new_images, run_evaluation, tables
from kdjax.step.preprocess import preprocess
from kdjax.training import train
from tests.app.conftest import serving

SCREENS = [
    (390, 844, "light"),
    *(
        pytest.param(*screen, marks=pytest.mark.slow)
        for screen in ((390, 844, "dark"), (1280, 900, "light"), (1280, 900, "dark"))
    ),
]
"""Width, height and colours."""


@pytest.fixture(scope="module")
def evaluation(pages):
    return run_evaluation.evaluate(pages.directory, run_evaluation.Options(timing=False))


@pytest.fixture(scope="module")
def url(pages, browser):
    """The address of the pages, with the real onnxruntime-web."""
    web_runtime.copy(pages.folder / "runtime")
    with serving() as start:
        yield start(pages.folder).url


@pytest.fixture
def open_page(url, browser):
    """`open_page(hash)`; afterwards no page has an error on its console."""
    problems, contexts = [], []

    def open_(address="", **options):
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on(
            "request",
            lambda r: None if r.url.startswith((url, "blob:")) else problems.append(r.url),
        )
        page.goto(url + address)
        if address.startswith("#compare"):
            wait(page)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert problems == []


def wait(page):
    """Waits until all networks have answered."""
    page.wait_for_selector('.cards[aria-busy="false"]')


def data_of(pages):
    return json.loads((pages.folder / "runs/0/compare.json").read_text())


def shown(page):
    """By network: the answer, its probability, and the text of every bar."""
    return {
        card.get_attribute("aria-label"): (
            card.locator(".answer strong").inner_text(),
            card.locator(".answer .share").inner_text(),
            card.locator(".bar-value").all_inner_texts(),
        )
        for card in page.locator(".network").all()
    }


def texts(probabilities, names):
    """What the page shows of probabilities `[k]`."""
    percent = [f"{100 * p:.1f}%" for p in probabilities]
    best = int(np.argmax(probabilities))
    return names[best], percent[best], percent


def assert_texts(page_texts, probabilities, names):
    """Equal, or another rounding of the last digit shown."""
    answer, share, bars = page_texts
    own_answer, own_share, own_bars = texts(probabilities, names)
    assert answer == own_answer
    values = [float(text.rstrip("%")) for text in [share, *bars]]
    own = [float(text.rstrip("%")) for text in [own_share, *own_bars]]
    assert values == pytest.approx(own, abs=0.1001)
    assert sum(a != b for a, b in zip(bars, own_bars, strict=True)) <= 1


def in_flax(evaluation, name, pixels):
    """The probabilities of uint8 images `[n, h, w, c]` in Flax."""
    restored = evaluation.networks[name]
    own = restored.network.preprocessing or evaluation.plan.preprocessing
    image = preprocess(jnp.asarray(pixels, jnp.float32) / 255.0, own)
    return np.asarray(
        jax.nn.softmax(restored.network.apply(restored.state, image, train=False)[0].logits)
    )


def request(pages):
    height, _, channels = data_of(pages)["image_shape"]
    return Request("", "", height, channels, data_of(pages)["crop"])


def png(array):
    content = io.BytesIO()
    Image.fromarray(array).save(content, "PNG")
    return content.getvalue()


def give_file(page, name, content):
    page.locator("#file").set_input_files(
        [{"name": name, "mimeType": "image/png", "buffer": content}]
    )


def test_every_test_image_is_answered_as_it_was_evaluated(pages, evaluation, open_page):
    data = data_of(pages)
    names = data["class_names"]
    page = open_page("#compare/0")
    options = page.locator('.strip [role="option"]:visible')
    assert options.count() == len(data["images"]["labels"]) == pages.options.images
    options.first.focus()
    places = []
    for _ in range(options.count()):
        selected = page.locator('.strip [aria-selected="true"]')
        # The strip's images are moved through by arrow keys.
        assert selected.evaluate("element => element === document.activeElement")
        place = int(selected.get_attribute("data-image"))
        places.append(place)
        label = data["images"]["labels"][place]
        assert page.locator(".label").inner_text() == f"Label: {names[label]}"
        answers = shown(page)
        assert [*answers] == ["teacher", "peer_0", "peer_1"]
        for network in data["networks"]:
            if network["final"]:
                probabilities = network["probabilities"][place]
                assert_texts(answers[network["name"]], probabilities, names)
                card = page.locator(f'.network[aria-label="{network["name"]}"]')
                right = int(np.argmax(probabilities)) == label
                assert card.locator(".verdict-mark").inner_text() == (
                    "✓ right" if right else "✗ wrong"
                )
                accuracy = evaluation.record["networks"][network["name"]]["accuracy"]
                assert f"{accuracy:.2%} on the test split" in card.inner_text()
        assert page.locator(".check.right").count() == 3
        assert page.locator(".check.wrong").count() == 0
        page.keyboard.press("ArrowRight")
        wait(page)
    assert sorted(places) == list(range(len(places)))


def test_the_filter_shows_disagreements_and_mistakes(pages, open_page):
    data = data_of(pages)
    page = open_page("#compare/0")
    label = np.array(data["images"]["labels"])

    def visible():
        return {
            int(option.get_attribute("data-image"))
            for option in page.locator('.strip [role="option"]:visible').all()
        }

    def expected(chosen):
        answers = np.array(
            [np.argmax(n["probabilities"], axis=1) for n in data["networks"] if n["name"] in chosen]
        )
        differ = (answers != answers[0]).any(axis=0)
        return {*np.flatnonzero(differ)}, {*np.flatnonzero((answers != label).any(axis=0))}

    differ, wrong = expected({"teacher", "peer_0", "peer_1"})
    assert differ
    assert wrong
    page.get_by_role("radio", name=f"Disagreements {len(differ)}").click()
    assert visible() == differ
    wait(page)
    assert page.locator(".verdict").inner_text().startswith("They disagree: ")
    page.get_by_role("radio", name=f"Mistakes {len(wrong)}").click()
    assert visible() == wrong
    # Another choice of networks makes other disagreements.
    page.get_by_role("button", name="teacher", exact=True).click()
    page.get_by_role("button", name="peer_0 after peer_0").click()
    wait(page)
    _, wrong = expected({"peer_0", "peer_0 after peer_0", "peer_1"})
    assert visible() == wrong
    assert [*shown(page)] == ["peer_0 after peer_0", "peer_0", "peer_1"]


def test_attention_maps_are_those_of_the_evaluation(pages, evaluation, open_page):
    data = data_of(pages)
    pixels = np.fromfile(pages.folder / "runs/0/images.bin", np.uint8)
    pixels = pixels.reshape(-1, *data["image_shape"])
    page = open_page("#compare/0")
    assert page.locator(".map").count() == 3 * len(data["layers"])
    names = [network["name"] for network in data["networks"]]
    chosen = [
        int(np.flatnonzero((evaluation.split.image.read() == image).all(axis=(1, 2, 3)))[0])
        for image in pixels[:2]
    ]
    layers = networks.map_layers(evaluation, "peer_0")
    _, maps = attention_maps.make(evaluation, names, layers, np.array(chosen))
    for place, network in enumerate(data["networks"]):
        for row in range(2):
            maps_shown = page.evaluate(
                """async ([file, pixels, shape]) => {
                    const { run } = await import("/js/inference.js");
                    const result = await run(file, Uint8Array.from(pixels), shape);
                    return Object.fromEntries(Object.entries(result.maps).map(([name, map]) =>
                        [name, [map.height, map.width, Array.from(map.values)]]));
                }""",
                [f"runs/0/network-{place}.onnx", pixels[row].ravel().tolist(), data["image_shape"]],
            )
            assert [*maps_shown] == network["layers"]
            for layer, (height, width, values) in maps_shown.items():
                own = (
                    maps[network["name"], layer][row] if (network["name"], layer) in maps else None
                )
                if own is None:
                    continue
                shape = np.array(values).reshape(height, width)
                # The evaluation's are divided by their norm.
                np.testing.assert_allclose(shape / np.linalg.norm(shape), own, atol=1e-5)


@pytest.mark.parametrize(
    "mode", ["RGB", *(pytest.param(mode, marks=pytest.mark.slow) for mode in ("L", "tall"))]
)
def test_an_upload_is_answered_as_kdjax_predict_answers(
    pages, evaluation, open_page, mode, tmp_path
):
    shape = {"RGB": (123, 77, 3), "L": (9, 31), "tall": (301, 40, 3)}[mode]
    content = png(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    pixels = image_files.decode(content, request(pages))
    page = open_page("#compare/0")
    page.get_by_role("radio", name="Upload").click()
    assert page.locator(".verdict").inner_text() == "Waiting for a picture."
    give_file(page, "noise.png", content)
    seen = seen_pixels(page)[..., None]
    # Pillow may resize the columns of a tall image first.
    np.testing.assert_allclose(seen, pixels.astype(np.float64), atol=mode == "tall")
    names = data_of(pages)["class_names"]
    for name, answer in shown(page).items():
        assert_texts(answer, in_flax(evaluation, name, seen[None])[0], names)
    (tmp_path / "noise.png").write_bytes(content)
    for name in ("teacher", "peer_0", "peer_1"):
        network = new_images.of_workdir(pages.directory, name)
        (predicted,) = new_images.predict(network, [tmp_path / "noise.png"])["images"]
        if mode != "tall":
            assert_texts(shown(page)[name], predicted["probabilities"], names)
    # Nothing was evaluated of this image.
    assert page.locator(".check").all_inner_texts() == ["", "", ""]


def test_resizing_is_pillows_bit_for_bit(open_page):
    page = open_page("#results/0")
    rng = np.random.default_rng(1)
    for (height, width), (h, w), channels in (
        ((28, 28), (16, 16), 1),
        ((109, 89), (64, 64), 3),
        ((7, 200), (32, 32), 3),
        ((8, 8), (20, 20), 1),
        ((64, 64), (64, 64), 3),
        ((301, 33), (33, 64), 3),
    ):
        image = rng.integers(0, 256, (height, width, channels), np.uint8)
        rows_first = Image.fromarray(image.squeeze())
        for size in ((w, height), (w, h)):
            rows_first = rows_first.resize(size, Image.Resampling.BILINEAR)
        resized = page.evaluate(
            """async ([pixels, height, width, shape]) => {
                const { resize } = await import("/js/images.js");
                return Array.from(resize(Uint8Array.from(pixels), height, width, shape));
            }""",
            [image.ravel().tolist(), height, width, [h, w, channels]],
        )
        np.testing.assert_array_equal(np.reshape(resized, (h, w, channels)).squeeze(), rows_first)


def test_what_is_no_picture_gets_a_friendly_message(open_page):
    large = io.BytesIO()
    Image.new("L", (10_000, 10_000)).save(large, "PNG")
    page = open_page("#compare/0")
    page.get_by_role("radio", name="Upload").click()
    problem = page.locator(".input .problem")
    for name, content, message in (
        ("empty.png", b"", "empty.png is empty. Choose a picture, such as a PNG or JPEG."),
        ("notes.png", b"some words", "notes.png is no picture that this browser can read. "),
        ("broken.png", png(np.zeros((20, 20), np.uint8))[:40], "broken.png is no picture that "),
        ("large.png", large.getvalue(), "large.png has 100 megapixels, and this page reads up to"),
    ):
        give_file(page, name, content)
        problem.filter(has_text=message).wait_for()
        assert problem.get_attribute("role") == "alert"
        assert page.locator(".seen").is_hidden()
        assert page.locator(".answer .unknown").count() == 3
    # After that, a picture is read.
    give_file(page, "grey.png", png(np.full((20, 20), 128, np.uint8)))
    page.wait_for_selector(".seen:not([hidden])")
    assert problem.is_hidden()


def test_a_drawing_is_answered_as_flax_answers_its_pixels(pages, evaluation, open_page):
    page = open_page("#compare/0")
    page.get_by_role("radio", name="Draw").click()
    sheet = page.get_by_role("application")
    box = sheet.bounding_box()
    points = [(0.3, 0.2), (0.7, 0.2), (0.4, 0.9)]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()
    pixels = seen_pixels(page)
    style = data_of(pages)["drawing"]
    assert pixels.max() > 200
    rows = np.flatnonzero((pixels > 64).any(axis=1))
    assert (np.ptp(rows) + 1) / len(pixels) == pytest.approx(style["extent"], abs=0.15)
    names = data_of(pages)["class_names"]
    for name, answer in shown(page).items():
        assert_texts(answer, in_flax(evaluation, name, pixels[None, :, :, None])[0], names)
    page.get_by_role("button", name="Clear").click()
    assert page.locator(".verdict").inner_text() == "Waiting for a drawing."
    # With keys alone: a vertical line.
    sheet.focus()
    for key in ("Space", *["ArrowDown"] * 12, "Space"):
        page.keyboard.press(key)
    drawn = seen_pixels(page)
    assert (drawn > 128).any(axis=1).sum() > 2 * (drawn > 128).any(axis=0).sum()


def seen_pixels(page):
    """The image that networks see, `[h, w]` uint8, once they have answered."""
    page.wait_for_selector(".seen:not([hidden])")
    wait(page)
    height, width, values = page.evaluate(
        """() => {
            const canvas = document.querySelector(".seen canvas");
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            return [height, width, Array.from(data)];
        }"""
    )
    return np.reshape(values, (height, width, 4))[..., 0].astype(np.uint8)


@pytest.mark.slow
def test_a_camera_takes_a_picture_and_is_let_go(open_page):
    page = open_page("#compare/0", permissions=["camera"])
    page.get_by_role("radio", name="Camera").click()
    page.get_by_role("button", name="Start the camera").click()
    page.get_by_role("button", name="Take a picture").click()
    assert np.ptp(seen_pixels(page)) > 0
    running = "() => document.querySelector('video')?.srcObject?.active ?? false"
    assert page.evaluate(running)
    page.evaluate("() => { window.kept = document.querySelector('video').srcObject; }")
    page.get_by_role("link", name="Results").click()
    page.wait_for_selector("#page-results table")
    assert not page.evaluate("() => window.kept.active")


@pytest.mark.slow
def test_a_picture_can_be_dropped_and_pasted(open_page):
    content = list(png(np.full((20, 20), 200, np.uint8)))
    page = open_page("#compare/0")
    for kind in ("drop", "paste"):
        page.evaluate(
            """([kind, bytes]) => {
                const transfer = new DataTransfer();
                const options = { type: "image/png" };
                transfer.items.add(new File([Uint8Array.from(bytes)], "grey.png", options));
                const section = document.getElementById("page-compare");
                const event = kind === "drop"
                    ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true })
                    : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true });
                section.dispatchEvent(event);
            }""",
            [kind, content],
        )
        assert (seen_pixels(page) == 200).all()
        assert page.get_by_role("radio", name="Upload").get_attribute("aria-checked") == "true"
        page.get_by_role("radio", name="Test image").click()
        wait(page)


def test_results_show_the_tables_of_the_evaluation(pages, open_page):
    page = open_page("#results/0")
    page.wait_for_selector("table.numbers")
    record = json.loads((pages.folder / "results.json").read_text())
    own = run_evaluation.evaluate(pages.directory, run_evaluation.Options(timing=False)).record
    assert len(record["tables"]) == page.locator("table.numbers").count()
    for table in tables.tables([own]):
        if table.title == "Cost":
            continue
        region = page.get_by_role("region", name=table.title, exact=True)
        rows = [row.locator("th, td").all_inner_texts() for row in region.locator("tr").all()]
        assert rows == [table.columns, *table.rows]
    matrix = own["agreement"]["matrix"]
    cells = page.locator("table.heat tbody td").all_inner_texts()
    assert cells == [
        "" if i == j else f"{100 * share:.1f}%"
        for i, row in enumerate(matrix)
        for j, share in enumerate(row)
    ]
    chart = page.locator("#page-results svg").first
    assert chart.locator(".point").count() == 3
    for axis in ("Latency", "Megabytes"):
        page.get_by_role("radio", name=axis).click()
        page.get_by_role("img", name=axis).wait_for()
    legend = page.locator(".legend").inner_text()
    for name in ("peer_0", "peer_1"):
        after = 100 * own["networks"][name]["accuracy"]
        before = 100 * own["networks"][f"{name} after {name}"]["accuracy"]
        assert f"{before:.2f} after {name}, {after:.2f} after mutual" in legend


def test_live_follows_a_run_in_progress(pages, browser, tmp_path):
    """The page of a log that grows; its server writes the state anew when it is asked."""
    from kdjax.app import live

    site_folder, run = tmp_path / "site", tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text("{}")
    log = run / "metrics.jsonl"
    line = '{{"step": {}, "stage": "student", "val/student/accuracy": {}}}\n'
    log.write_text(line.format(10, 0.5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web_runtime, "copy", lambda folder: None)
        site.begin(site_folder)
    entry = {
        "workdir": "run",
        "about": "kd",
        "note": "it has no checkpoint yet",
        "compare": False,
        "finished": False,
        "folder": "runs/0",
        "label": "run",
    }
    (site_folder / "app.json").write_text(json.dumps({"runs": [entry], "served": True}))
    (site_folder / "runs" / "0").mkdir(parents=True)
    stages = [live.StageLength("student", 10, 100)]
    follower = live.Follower(run, stages, site_folder / "runs" / "0")
    with serving() as start:
        started = start(site_folder, {"runs/0/live.json": follower.refresh})
        context = browser.new_context(viewport={"width": 800, "height": 900})
        page = context.new_page()
        page.goto(started.url)
        # A run without a network opens there.
        page.get_by_role("heading", name="Live").wait_for()
        page.get_by_text("Time left: not known yet").wait_for()
        assert page.get_by_role("progressbar").get_attribute("aria-valuenow") == "10"
        assert "student 50.00%" in " ".join(page.locator(".legend").inner_text().split())
        time.sleep(1.0)
        with log.open("a") as file:
            file.write(line.format(20, 0.75))
        page.get_by_text("About").wait_for()
        assert page.get_by_role("progressbar").get_attribute("aria-valuenow") == "20"
        assert "student 75.00%" in " ".join(page.locator(".legend").inner_text().split())
        (run / "result.json").write_text(
            json.dumps({"finished": True, "networks": {}, "stages": {"student": {"last_step": 20}}})
        )
        page.get_by_text("Finished", exact=True).wait_for()
        page.goto(f"{started.url}#compare/0")
        page.get_by_text("has no network to look at: it has no checkpoint yet").wait_for()
        context.close()


@pytest.mark.parametrize(("width", "height", "scheme"), SCREENS)
def test_pages_fit_the_screen_and_every_control_has_a_name(
    open_page, width, height, scheme, tmp_path
):
    page = open_page("#compare/0", viewport={"width": width, "height": height}, color_scheme=scheme)
    for name in ("compare", "results", "live"):
        if name != "compare":
            page.get_by_role("link", name=name.capitalize()).click()
            page.wait_for_selector(f"#page-{name} .card")
            # For people who hear the page.
            assert page.evaluate("document.activeElement.tagName") == "H1"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.screenshot(path=tmp_path / f"{name}-{width}-{scheme}.png", full_page=True)
        unnamed = page.evaluate(
            """() => [...document.querySelectorAll("button, a, select, input, canvas, svg, [role]")]
                .filter((e) => e.checkVisibility() && !e.closest("[aria-hidden=true]"))
                .filter((e) => !(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby")
                    || e.textContent.trim() || (e.labels && e.labels.length) || e.role === "alert"
                    || e.role === "status"))
                .map((e) => e.outerHTML.slice(0, 80))"""
        )
        assert unnamed == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    bright = np.mean([int(x) for x in background[4:-1].split(",")]) > 128
    assert bright == (scheme == "light")
    # The button goes from the system's colours to light, and to dark.
    for expected in (True, False):
        page.locator("#theme").click()
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (np.mean([int(x) for x in background[4:-1].split(",")]) > 128) == expected


def test_the_first_prediction_comes_soon(open_page):
    """Two seconds on a machine with nothing else to do; tests share theirs."""
    begin = time.perf_counter()
    page = open_page("")
    page.wait_for_selector(".verdict-mark")
    assert time.perf_counter() - begin < 10
    assert page.locator(".speed").first.inner_text().endswith(("first time", ")"))


@pytest.mark.slow
def test_attributes_have_a_threshold(browser, tmp_path, fake_runtime):
    """Faces with three attributes: bars, decisions and disagreements follow the slider."""
    faces, run = tmp_path / "faces", tmp_path / "run"
    faces.mkdir()
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2, (60, 3))
    lines = [
        f"{i}.png " + " ".join("1" if v else "-1" for v in row) for i, row in enumerate(values)
    ]
    (faces / "list_attr_faces.txt").write_text("\n".join(["60", "Bright Round Rare", *lines]))
    for index, row in enumerate(values):
        noise = rng.integers(0, 60, (10, 8, 3)) + 150 * row[0]
        (faces / f"{index}.png").write_bytes(png(noise.astype(np.uint8)))
    config = dml.get_config("attributes")
    config.data.path, config.data.data_dir = str(faces), str(tmp_path / "data")
    config.data.size, config.epochs, config.batch_size = 8, 2, 8
    config.tensorboard = False
    for network in config.networks.values():
        network.model = "plain.plain2"
    with pytest.MonkeyPatch.context() as patch, jax.numpy_dtype_promotion("standard"):
        first = jax.local_devices()[:1]
        patch.setattr(jax, "local_devices", lambda: first)
        train.run(config, run)
        site.write(tmp_path / "pages", [run], site.Options(images=6), served=False)
    with serving() as start:
        started = start(tmp_path / "pages")
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.goto(f"{started.url}#compare/0")
        wait(page)
        data = json.loads((tmp_path / "pages/runs/0/compare.json").read_text())
        place = int(page.locator('.strip [aria-selected="true"]').get_attribute("data-image"))
        for threshold in (0.5, 0.3, 0.7):
            page.locator("#threshold").evaluate(
                """(slider, value) => {
                    slider.value = value;
                    slider.dispatchEvent(new Event("input"));
                }""",
                threshold,
            )
            for network in data["networks"]:
                probabilities = np.array(network["probabilities"][place])
                card = page.locator(f'.network[aria-label="{network["name"]}"]')
                has = int((probabilities > threshold).sum())
                words = f"{has} attribute" if has == 1 else f"{has} attributes"
                assert card.locator(".answer strong").inner_text() == words
                label = np.array(data["images"]["labels"][place])
                right = int(((probabilities > threshold) == label).sum())
                assert f"{right} of 3 right" in card.locator(".answer").inner_text()
                assert card.locator(".bar.chosen").count() == has
            decisions = np.array([n["probabilities"] for n in data["networks"]]) > threshold
            differ = (decisions != decisions[0]).any(axis=(0, 2)).sum()
            assert page.get_by_role("radio", name=f"Disagreements {differ}").count() == 1
        # Photographs of faces are not drawn.
        assert page.get_by_role("radio", name="Draw").count() == 0
