// A Vendure shop for the tests: its data in one SQLite file, on a port of 127.0.0.1, with a payment method that always pays.
const path = require('path');
const {
    bootstrap, DefaultJobQueuePlugin, DefaultSearchPlugin, dummyPaymentHandler, JobQueueService,
} = require('@vendure/core');

const need = name => {
    const value = process.env[name];
    if (!value) throw new Error(`${name} is not set; start this with \`cargo xtask shops start vendure\``);
    return value;
};

const config = {
    apiOptions: {
        hostname: '127.0.0.1',
        port: Number(need('SHOP_PORT')),
        adminApiPath: 'admin-api',
        shopApiPath: 'shop-api',
    },
    authOptions: {
        // The agent's way in is the API key; seeding and shoppers use tokens.
        tokenMethod: ['bearer', 'api-key'],
        requireVerification: false,
        superadminCredentials: { identifier: need('SHOP_USER'), password: need('SHOP_PASSWORD') },
        cookieOptions: { secret: 'tests-only' },
    },
    dbConnectionOptions: {
        type: 'better-sqlite3',
        database: path.join(need('SHOP_DATA'), 'shop.sqlite'),
        synchronize: true,
        logging: false,
    },
    customFields: { ProductVariant: [{ name: 'ean', type: 'string', nullable: true }] },
    paymentOptions: { paymentMethodHandlers: [dummyPaymentHandler] },
    plugins: [DefaultJobQueuePlugin, DefaultSearchPlugin.init({ bufferUpdates: false })],
};

bootstrap(config)
    .then(app => app.get(JobQueueService).start())
    .catch(error => {
        console.error(error);
        process.exit(1);
    });
