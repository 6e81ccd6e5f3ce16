#!/usr/bin/python3
"""PyTorch's side of bench: the same steps in eager mode, as a user writes them.

    OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=1 apps/bench/bench_torch.py [case...] [--dataset DIR] [--reps N]
    apps/bench/bench_torch.py --compare bench.jsonl torch.jsonl...

The first form prints a JSON object a line. The second one prints a table of what bench --json has printed beside
the best of what the first form has printed, with the ratios.

With two threads, try OMP_NUM_THREADS x OPENBLAS_NUM_THREADS in {1, 2} (with OMP_WAIT_POLICY=passive where both are
2) and give all the files to --compare: the two pools fight for the processors.

Needs Debian's python3-torch and python3-numpy, which /usr/bin/python3 sees.
"""
import argparse
import gzip
import json
import os
import statistics
import sys
import time

SECONDS = 0.3
N_TRAIN = 50000


def load(folder):
    """The training set; without a folder pixels of which four fifths are zero, as in MNIST."""
    if folder is None:
        rng = np.random.RandomState(1)
        x = (rng.rand(6000, 784) * (rng.rand(6000, 784) < .2)).astype('float32')
        return torch.from_numpy(x), torch.from_numpy(rng.randint(0, 10, 6000))

    def read(name, header):
        path = os.path.join(folder, name)
        with gzip.open(path + '.gz') if os.path.exists(path + '.gz') else open(path, 'rb') as f:
            return np.frombuffer(f.read(), np.uint8)[header:]
    x = read('train-images-idx3-ubyte', 16).reshape(-1, 784)[:N_TRAIN].astype('float32') / 256
    y = read('train-labels-idx1-ubyte', 8)[:N_TRAIN].astype('int64')
    return torch.from_numpy(x), torch.from_numpy(y)


def measure(name, step, n_batches, reps):
    for i in range(3):
        step(i % n_batches)
    begin, n = time.perf_counter(), 0
    while time.perf_counter() - begin < SECONDS:
        step(n % n_batches)
        n += 1
    us = []
    for _ in range(reps):
        begin = time.perf_counter()
        for i in range(n):
            step(i % n_batches)
        us.append((time.perf_counter() - begin) / n * 1e6)
    print(json.dumps({'case': name, 'threads': torch.get_num_threads(),
                      'blas_threads': os.environ.get('OPENBLAS_NUM_THREADS', ''),
                      'us_median': round(statistics.median(us), 2), 'us_min': round(min(us), 2),
                      'us_max': round(max(us), 2), 'reps': reps}), flush=True)


def weights(rng, n_in, n_out, scale=4):
    a = scale * np.sqrt(6. / (n_in + n_out))
    return torch.from_numpy(rng.uniform(-a, a, (n_in, n_out)).astype('float32')).requires_grad_()


def zeros(*shape):
    return torch.zeros(*shape, requires_grad=True)


def descend(cost, params, lr):
    """A step of gradient descent; returns the cost."""
    cost.backward()
    with torch.no_grad():
        for p in params:
            p.add_(p.grad, alpha=-lr)
            p.grad = None
    return cost.item()


def sda_steps(X, Y, batch):
    rng = np.random.RandomState(89677)
    sizes = [784, 1000, 1000, 1000]
    W = [weights(rng, i, o) for i, o in zip(sizes, sizes[1:])]
    b = [zeros(o) for o in sizes[1:]]
    b_prime = [zeros(i) for i in sizes[:-1]]
    V, c = zeros(1000, 10), zeros(10)

    def pretrain(layer, corruption):
        def step(k):
            x = X[k * batch:(k + 1) * batch]
            with torch.no_grad():
                for i in range(layer):
                    x = torch.sigmoid(torch.addmm(b[i], x, W[i]))
            tilde_x = torch.bernoulli(torch.full_like(x, 1 - corruption)) * x
            y = torch.sigmoid(torch.addmm(b[layer], tilde_x, W[layer]))
            z = torch.addmm(b_prime[layer], y, W[layer].t())
            cost = F.binary_cross_entropy_with_logits(z, x, reduction='sum') / batch
            return descend(cost, (W[layer], b[layer], b_prime[layer]), .001)
        return step

    def finetune(k):
        h = X[k * batch:(k + 1) * batch]
        for i in range(3):
            h = torch.sigmoid(torch.addmm(b[i], h, W[i]))
        cost = F.cross_entropy(torch.addmm(c, h, V), Y[k * batch:(k + 1) * batch])
        return descend(cost, (*W, *b, V, c), .1)

    steps = {'sda_pretrain%d_b%d' % (i + 1, batch): pretrain(i, [.1, .2, .3][i]) for i in range(3)}
    return {**steps, 'sda_finetune_b%d' % batch: finetune}


def autoencoder_step(X, variant, batch):
    rng = np.random.RandomState(123)
    scale = 1 if variant == 'tanh_squared' else 4
    W, b, b_prime = weights(rng, 784, 1000, scale), zeros(1000), zeros(784)
    params = [W, b, b_prime]
    if variant == 'untied':
        params.append(weights(rng, 1000, 784, scale))

    def step(k):
        x = X[k * batch:(k + 1) * batch]
        tilde_x = torch.bernoulli(torch.full_like(x, .9)) * x
        W_prime = params[3] if variant == 'untied' else W.t()
        z = torch.addmm(b, tilde_x, W)
        if variant == 'tanh_squared':
            r = torch.tanh(torch.addmm(b_prime, torch.tanh(z), W_prime))
            cost = F.mse_loss(r, x, reduction='sum') / batch
        else:
            r = torch.addmm(b_prime, torch.sigmoid(z), W_prime)
            cost = F.binary_cross_entropy_with_logits(r, x, reduction='sum') / batch
        if variant == 'l2':
            cost = cost + .001 * (W ** 2).sum()
        return descend(cost, params, .001)
    return step


def logistic_step(X, Y, batch):
    W, b = zeros(784, 10), zeros(10)
    return lambda k: descend(F.cross_entropy(torch.addmm(b, X[k * batch:(k + 1) * batch], W),
                                             Y[k * batch:(k + 1) * batch]), (W, b), .13)


def mlp_step(X, Y, batch):
    W, b, V, c = weights(np.random.RandomState(1234), 784, 500, 1), zeros(500), zeros(500, 10), zeros(10)

    def step(k):
        h = torch.tanh(torch.addmm(b, X[k * batch:(k + 1) * batch], W))
        cost = F.cross_entropy(torch.addmm(c, h, V), Y[k * batch:(k + 1) * batch])
        return descend(cost + .0001 * ((W ** 2).sum() + (V ** 2).sum()), (W, b, V, c), .01)
    return step


def lenet_step(X, Y, batch):
    rng = np.random.RandomState(23455)

    def uniform(shape, bound):
        return torch.from_numpy(rng.uniform(-bound, bound, shape).astype('float32')).requires_grad_()
    K0, a0 = uniform((20, 1, 5, 5), .2), zeros(20)
    K1, a1 = uniform((50, 20, 5, 5), .07), zeros(50)
    W, b, V, c = weights(rng, 800, 500, 1), zeros(500), zeros(500, 10), zeros(10)

    def step(k):
        x = X[k * batch:(k + 1) * batch].view(batch, 1, 28, 28)
        h = torch.tanh(F.max_pool2d(F.conv2d(x, K0), 2) + a0.view(1, -1, 1, 1))
        h = torch.tanh(F.max_pool2d(F.conv2d(h, K1), 2) + a1.view(1, -1, 1, 1))
        h = torch.tanh(torch.addmm(b, h.flatten(1), W))
        cost = F.cross_entropy(torch.addmm(c, h, V), Y[k * batch:(k + 1) * batch])
        return descend(cost, (V, c, W, b, K1, a1, K0, a0), .1)
    return step


def twenty_operations(x, y):
    t = torch.tanh((x + y) * x) - y
    t = torch.log(torch.exp(t) + 1.)
    t = torch.sqrt(t * t + x)
    t = torch.sigmoid(t / y) * 2.
    t = torch.tanh((t - x) * y) + .5
    return (torch.exp(t) - 1.) * x


def run(args):
    wanted = lambda name: not args.cases or name in args.cases
    X, Y = load(args.dataset)

    def bench(name, step, batch):
        if wanted(name):
            measure(name, step, X.shape[0] // batch, args.reps)
    for batch in (1, 20, 128):
        for name, step in sda_steps(X, Y, batch).items():
            bench(name, step, batch)
    bench('logistic_b600', logistic_step(X, Y, 600), 600)
    bench('mlp_b20', mlp_step(X, Y, 20), 20)
    bench('lenet_b500', lenet_step(X, Y, 500), 500)
    for variant in ('untied', 'tanh_squared', 'l2'):
        for batch in (1, 20):
            bench('da_%s_b%d' % (variant, batch), autoencoder_step(X, variant, batch), batch)
    a, b = torch.tensor(1.5), torch.tensor(2.5)
    bench('call_a+b', lambda k: (a + b).item(), 1)
    bench('call_20op', lambda k: twenty_operations(a, b).item(), 1)
    x, y = a.clone().requires_grad_(), b.clone().requires_grad_()
    bench('call_20op_grad', lambda k: torch.autograd.grad(twenty_operations(x, y), (x, y)), 1)


def compare(files):
    with open(files[0]) as f:
        ours = [json.loads(line) for line in f]
    theirs = {}
    for name in files[1:]:
        with open(name) as f:
            for line in f:
                r = json.loads(line)
                if r['case'] not in theirs or r['us_median'] < theirs[r['case']]['us_median']:
                    theirs[r['case']] = r
    print('%-20s %10s %10s %10s %12s %12s  %s' % ('microseconds', 'Damo', 'limit', 'PyTorch', 'Damo/limit',
                                               'PyTorch/Damo', 'PyTorch with'))
    for r in ours:
        t = theirs.get(r['case'])
        limit, ratio = r['limit_us'], r['ratio']
        print(('%-20s %10.1f %10s %10s %12s %12s  %s' % (
            r['case'], r['us_median'], '%.1f' % limit if limit else '', '%.1f' % t['us_median'] if t else '',
            '%.2f' % ratio if ratio else '', '%.2f' % (t['us_median'] / r['us_median']) if t else '',
            '%s threads, %s in BLAS' % (t['threads'], t['blas_threads'] or '?') if t else '')).rstrip())


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('cases', nargs='*', metavar='case')
    parser.add_argument('--dataset', metavar='DIR', help="MNIST's four files; default: random pixels")
    parser.add_argument('--reps', type=int, default=7, metavar='N')
    parser.add_argument('--compare', nargs='+', metavar='FILE', help='files of bench --json and of this program')
    options = parser.parse_args()
    if options.compare:
        compare(options.compare)
        sys.exit()
    try:
        import numpy as np
        import torch
        import torch.nn.functional as F
    except ImportError as missing:
        sys.exit('bench_torch.py: %s; install python3-torch and python3-numpy' % missing)
    torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', '1')))
    run(options)
