"""The peers of the benchmark: recipes of other libraries, as scripts that run without striate.

Each module is one peer. It says in its header what its environment needs (inline script metadata), and
offers:

- ``ABOUT``: what it trains, and by which recipe, in one line;
- ``LIBRARIES``: distributions whose versions are told; ``IMPORTS``: modules without which it cannot run;
- ``ENVIRONMENT``: variables to set before anything is imported;
- ``BUDGETS``: one entry for each process, with the epochs after which that process is measured;
- ``FOLDER``: whether it reads images as files;
- ``train(job)``: trains once, and calls ``job.measure`` at each budget.

``run.py`` runs one of them by its name in whatever environment it is started with. No module here imports
anything of striate, nor any of the libraries before ``train`` is called.
"""
