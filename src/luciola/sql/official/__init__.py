"""Spider's own metrics, to the last verdict: exact set match, hardness, execution, test suites.

    files ▶ tokens or lenient ▶ grammar ▶ normal ▶ match, hardness
                                          execution ▶ evaluate ▶ report

Rules: Yu et al. 2018, https://arxiv.org/abs/1809.08887, and Zhong et al. 2020,
https://arxiv.org/abs/2010.02840, as the official evaluator carries them out, its oddities included.
Import the modules themselves; nothing loads here.
"""
