"""Looks at HTML files in headless Chromium, in the lab's browser: ``python3 - FILE…`` prints lines of JSON.

What a reader would see, in both colour schemes, on a phone and on a desk, and in print: the title, whether
something is wider than the page, the text whose contrast is below WCAG's 4.5 : 1, what the page's policy
refused, and text that print would lose.
"""

from __future__ import annotations

import json
import sys
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

LOOK = r"""
const parse = text => {
  const parts = text.match(/[\d.]+/g).map(Number);
  return parts.length > 3 ? parts : [...parts, 1];
};
const light = ([red, green, blue]) => {
  const one = v => (v /= 255, v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * one(red) + 0.7152 * one(green) + 0.0722 * one(blue);
};
const behind = element => {
  for (let e = element; e; e = e.parentElement) {
    const colour = parse(getComputedStyle(e).backgroundColor);
    if (colour[3] === 1) return colour;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
};
const pale = [], hidden = [];
for (const element of document.body.querySelectorAll("*")) {
  const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  if (!own || element.closest("title")) continue;
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  if (!box.width || !box.height || !element.checkVisibility()) {
    hidden.push(element.textContent.trim().slice(0, 60));
    continue;
  }
  const ink = parse(element.closest("svg") ? style.fill : style.color);
  const [a, b] = [light(ink), light(behind(element))].sort((x, y) => y - x);
  const contrast = (a + 0.05) / (b + 0.05);
  if (contrast < 4.5) pale.push([element.textContent.trim().slice(0, 60), contrast.toFixed(2)]);
}
const root = document.documentElement;
return {
  title: document.title, overflow: root.scrollWidth - root.clientWidth, pale, hidden,
  active: document.querySelectorAll("script,img,iframe,object,embed,form,[onerror],[onmouseover]").length,
  links: [...document.querySelectorAll("[href]")].map(e => e.href), words: document.body.innerText.length,
};
"""


def main() -> None:
    """Look at each file."""
    with tempfile.TemporaryDirectory() as profile:
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        try:
            for path in sys.argv[1:]:
                for scheme in ("light", "dark"):
                    for width, media in ((390, "screen"), (1280, "screen"), (794, "print")):
                        feature = {"name": "prefers-color-scheme", "value": scheme}
                        driver.execute_cdp_cmd(
                            "Emulation.setEmulatedMedia", {"media": media, "features": [feature]}
                        )
                        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
                        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
                        driver.get(f"file://{path}")
                        seen = driver.execute_script(LOOK)
                        refused = [entry["message"] for entry in driver.get_log("browser")]
                        told = {
                            "file": path,
                            "scheme": scheme,
                            "width": width,
                            "media": media,
                            "refused": refused,
                        }
                        print(json.dumps({**told, **seen}), flush=True)
        finally:
            driver.quit()


if __name__ == "__main__":
    main()
