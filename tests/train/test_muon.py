import torch
from torch import nn

from train.muon import Muon, orthogonalise


def test_singular_values_come_near_one():
    gradients = torch.randn(3, 16, 40, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(gradients, 5))
    assert values.min() > 0.5 and values.max() < 1.4


def test_steps_lower_a_loss_for_wide_and_tall_matrices():
    generator = torch.Generator().manual_seed(0)
    wide, tall = (nn.Parameter(torch.randn(*s, generator=generator)) for s in ((4, 9), (9, 4)))
    optimiser = Muon([wide, tall], lr=0.1, weight_decay=0.0)

    def loss():
        return (wide**2).sum() + (tall**2).sum()

    before = loss().item()
    for _ in range(60):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
    assert loss().item() < 0.2 * before


def test_state_survives_saving():
    weight = nn.Parameter(torch.ones(3, 3))
    weight.grad = torch.ones(3, 3)
    optimiser = Muon([weight], lr=0.1)
    optimiser.step()
    resumed = Muon([weight], lr=0.1)
    resumed.load_state_dict(optimiser.state_dict())
    torch.testing.assert_close(resumed.state[weight]["momentum"], torch.full((3, 3), 0.05))
