"""Takes the picture of a report in README.md: the lab's Chromium looks at the diagnosis of a broken host.

python3 -m docs.generate_picture
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
if str(CHECKOUT) not in sys.path:
    sys.path.insert(0, str(CHECKOUT))

from lab import browser  # noqa: E402
from lab.containers import docker  # noqa: E402

PICTURE = CHECKOUT / "docs" / "report.png"
HOST = "web1"
URL = "wss://lammp.test/api/mqtt/ws/hints/session-1"
PAGE, SHOT = "/tmp/report-picture.html", "/tmp/report-picture.png"
#: Run in the browser's container: the page as high as it is, and no higher than a reader sees at once.
TAKE = f"""
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
options = webdriver.ChromeOptions()
options.binary_location = "/usr/bin/chromium"
for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
    options.add_argument(flag)
driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                       {{"width": 900, "height": 980, "deviceScaleFactor": 1, "mobile": False}})
driver.get("file://{PAGE}")
driver.save_screenshot("{SHOT}")
driver.quit()
"""


def main() -> None:
    """Diagnose, look, and write the picture."""
    subprocess.run([str(CHECKOUT / "lab/lab"), "up", HOST, "--scene", "broken"], check=True)
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.html"
        subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory/lab", "-l", HOST,
             "playbooks/diagnose.yml", "-e", f"url={URL}", "-e", f"html={report}"],
            cwd=CHECKOUT, stdin=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        report.chmod(0o644)
        container = browser.start()
        docker.docker("cp", str(report), f"{container}:{PAGE}")
    browser.run_python(container, TAKE)
    docker.docker("cp", f"{container}:{SHOT}", str(PICTURE))


if __name__ == "__main__":
    main()
