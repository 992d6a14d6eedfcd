"""Scores as protocol, distortion, network and time change them: Table 4, explanations, audits and curves."""
