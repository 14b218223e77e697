"""What deploy/ installs is what a real API server takes, and what PodSecurity lets run."""
import pathlib
import subprocess

import pytest

from world import RUN

DEPLOY = pathlib.Path(__file__).resolve().parents[3] / "deploy"
KUSTOMIZATIONS = sorted(path.parent.relative_to(DEPLOY).as_posix()
                        for path in DEPLOY.rglob("kustomization.yaml"))


def kubectl(*arguments):
    return subprocess.run(["kubectl", "--kubeconfig", RUN / "admin.kubeconfig", *arguments],
                          capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def namespace():
    """The namespace itself: a dry run does not make it, and the rest is to be in it."""
    made = kubectl("apply", "-f", DEPLOY / "base/namespace.yaml")
    assert made.returncode == 0, made.stderr
    yield
    kubectl("delete", "-f", DEPLOY / "base/namespace.yaml")


@pytest.mark.parametrize("folder", KUSTOMIZATIONS)
def test_a_server_dry_run_takes_all_of_it(namespace, folder):
    done = kubectl("apply", "--dry-run=server", "-k", DEPLOY / folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "a warning: PodSecurity and deprecated fields are said there"
    assert "deployment.apps/pilotlight-activator created (server dry run)" in done.stdout
